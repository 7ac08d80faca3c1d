import { agentRules } from './agent-rules.ts';

agentRules('agents behind stand-in routers', 'standin');

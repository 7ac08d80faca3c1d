import { callRules } from './call-rules.ts';

callRules('calls on stand-in media nodes', 'standin');

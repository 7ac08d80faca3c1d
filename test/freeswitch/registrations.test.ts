import { freeswitchBinary } from '@callmesh/local';
import { describe, it } from 'vitest';
import { agentRules } from '../mesh/agent-rules.ts';

const TITLE = 'agents behind real fs-routers';
if (freeswitchBinary()) agentRules(TITLE, 'freeswitch');
else describe(TITLE, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));

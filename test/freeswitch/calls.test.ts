import { freeswitchBinary } from '@callmesh/local';
import { describe, it } from 'vitest';
import { callRules } from '../mesh/call-rules.ts';

const TITLE = 'calls on real FreeSWITCH media nodes';
if (freeswitchBinary()) callRules(TITLE, 'freeswitch');
else describe(TITLE, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));

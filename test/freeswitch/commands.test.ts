import { freeswitchBinary } from '@callmesh/local';
import { describe, it } from 'vitest';
import { commandedRules } from './commanded-rules.ts';

const TITLE = 'commands to a node-agent beside a real FreeSWITCH';
if (freeswitchBinary()) commandedRules(TITLE);
else describe(TITLE, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));

import type { NodeCommand } from '@callmesh/proto/command';
import { CallmeshError } from '@callmesh/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { originatePlan } from '../src/domain/commands/plan.ts';
import { commandOf, dialOf, hostile, plan, programOf, run, setting, UUID } from './support/commands.ts';
import { dialled, executed, expanded, separate, set, spoken, words } from './support/freeswitch-text.ts';

type What = NonNullable<NodeCommand['command']>;

/** Nothing from outside may make FreeSWITCH look for a variable, or call a function. */
const nothing = (name: string): string => {
  throw new Error(`FreeSWITCH would expand ${name}`);
};

/** What is rendered is checked; what is refused names its field. */
function renderedOrRefused<T>(render: () => T, check: (rendered: T) => void, field: RegExp): void {
  let rendered: T;
  try {
    rendered = render();
  } catch (error) {
    expect(error).toBeInstanceOf(CallmeshError);
    expect(error).toMatchObject({ code: 'invalid_argument', field: expect.stringMatching(field) });
    return;
  }
  check(rendered);
}

/** The one program in a plan, as FreeSWITCH would run it. */
function appsOf(command: What) {
  const line = plan(command).lines.at(-1)!;
  expect(line).not.toMatch(/[\r\n]/);
  const [api, uuid, destination, dialplan, ...more] = words(line);
  expect([api, uuid, dialplan, more]).toEqual(['uuid_transfer', UUID, 'inline', []]);
  return executed(destination!, nothing);
}

const property = (check: (text: string) => void, runs = 1_500) =>
  fc.assert(fc.property(hostile, check), { numRuns: runs });

describe('whatever the strings, FreeSWITCH does what was meant, or the command is refused', () => {
  it('speaks the text', () => {
    property((text) =>
      renderedOrRefused(
        () =>
          appsOf(
            run(
              { $case: 'answer', value: {} },
              { $case: 'say', value: { text, voice: '' } },
              { $case: 'echo', value: {} },
            ),
          ),
        (apps) => {
          expect(apps.map(({ name }) => name)).toEqual(['answer', 'speak', 'echo']);
          expect(spoken(apps[1]!.arg!)).toEqual({ engine: 'flite', voice: 'slt', text });
        },
        /^run\.program\.steps\[1\]\.say\.text$/,
      ),
    );
  });

  it('speaks the text beside what a leg does', () => {
    property((text) =>
      renderedOrRefused(
        () => plan({ $case: 'say', value: { text, voice: '' } }),
        ({ lines }) => {
          const [api, uuid, app, leg, ...more] = words(lines.at(-1)!);
          expect([api, uuid, leg, more]).toEqual(['uuid_broadcast', UUID, 'aleg', []]);
          expect(app!.startsWith('speak::')).toBe(true);
          expect(spoken(expanded(app!.slice('speak::'.length), nothing)).text).toBe(text);
        },
        /^say\.text$/,
      ),
    );
  });

  it('sets the variables of a program', () => {
    property((value) =>
      renderedOrRefused(
        () =>
          appsOf(
            run(
              { $case: 'setVariables', value: { variables: { mine: value } } },
              { $case: 'park', value: { timeoutS: 0 } },
            ),
          ),
        (apps) => {
          expect(apps.map(({ name }) => name)).toEqual(['set', 'park']);
          // A set without a value unsets.
          expect(set(apps[0]!.arg!, nothing)).toEqual(['mine', value]);
        },
        /^run\.program\.steps\[0\]\.set_variables\.mine$/,
      ),
    );
  });

  it('sets the variables of a leg', () => {
    fc.assert(
      fc.property(hostile, hostile, (one, two) =>
        renderedOrRefused(
          () => plan({ $case: 'setVariables', value: { variables: { one, two } } }),
          ({ lines }) => {
            expect(lines).toHaveLength(1);
            const [, uuid, list] = /^uuid_setvar_multi (\S+) (.*)$/s.exec(lines[0]!) ?? [];
            expect(uuid).toBe(UUID);
            const pairs = separate(list!, ';', 64).map((pair) => pair.split(/=(.*)/s).slice(0, 2));
            expect(pairs).toEqual([
              ['one', one],
              ['two', two],
            ]);
          },
          /^set_variables\.variables\.(one|two)$/,
        ),
      ),
      { numRuns: 1_500 },
    );
  });

  it('takes no name of a variable that FreeSWITCH or the mesh acts on', () => {
    const taken = new Set([
      'api_hangup_hook',
      'API_ON_ANSWER',
      'execute_on_answer',
      'exec_after_bridge_app',
      'bridge_pre_execute_bleg_app',
      'sip_h_X-Callmesh-Tenant',
      'sip_h_x-callmesh-session',
      'callmesh_program',
      'group_confirm_key',
      'sip_route_uri',
      'record_post_process_exec_api',
      'hold_music',
      'park_timeout',
      'nolocal_x',
      'origination_uuid',
      'sip_h_Route',
      'absolute_codec_string',
      'sound_prefix',
      'tts_engine',
      'ARRAY',
      'uuid',
      'sip-force-contact',
    ]);
    const names = fc.oneof(hostile, fc.constantFrom(...taken));
    fc.assert(
      fc.property(names, (name) => {
        const command = { $case: 'setVariables', value: { variables: { [name]: 'x' } } } as const;
        // A string that happens to be nobody's name may be set.
        if (/^[a-z0-9_-]{1,64}$/i.test(name) && !taken.has(name)) return;
        expect(() => plan(command)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      }),
    );
    for (const name of ['customer', 'order-id', 'sip_h_X-Ticket', 'sip_bye_h_X-Why', 'sip_h_User-to-User'])
      expect(plan({ $case: 'setVariables', value: { variables: { [name]: 'x' } } }).lines).toHaveLength(1);
  });

  it('presents the caller and calls the party', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (callerName, callerNumber, user) =>
        renderedOrRefused(
          () =>
            appsOf(
              run({
                $case: 'dial',
                value: dialOf(`sip:${user}@10.0.0.7:5060`, { callerName, callerNumber }),
              }),
            ),
          (apps) => {
            const values = new Map(
              apps.filter(({ name }) => name === 'set').map(({ arg }) => set(arg!, nothing)),
            );
            if (callerName) expect(values.get('effective_caller_id_name')).toBe(callerName);
            if (callerNumber) expect(values.get('effective_caller_id_number')).toBe(callerNumber);
            const bridges = apps.filter(({ name }) => name === 'bridge');
            expect(bridges).toHaveLength(1);
            const legs = dialled(bridges[0]!.arg!);
            expect(legs.map(({ ways }) => ways.map(({ to }) => to))).toEqual([
              [`sofia/mesh/sip:${user}@10.0.0.7:5060`],
            ]);
            expect(legs[0]!.variables.get('sip_h_X-Callmesh-Tenant')).toBe('acme');
          },
          /^run\.program\.steps\[0\]\.dial\.(caller_name|caller_number|groups\[0\]\.legs\[0\]\.hops\[0\]\.uri)$/,
        ),
      ),
      { numRuns: 3_000 },
    );
  });

  it('calls each leg by each of its ways, and says of each whose it is', () => {
    const part = fc.oneof(hostile, fc.constantFrom('bob@acme.example', 'trunk-1', ''));
    fc.assert(
      fc.property(part, part, part, (agentId, trunkId, nextHop) =>
        renderedOrRefused(
          () => {
            const hops = ['sip:a@1.2.3.4', 'sip:b@[2001:db8::1]:5080;transport=tcp'].map((uri) => ({
              uri,
              nextHop,
              nodeId: '',
            }));
            const legs = [
              { hops, agentId, trunkId },
              { hops: hops.slice(1), agentId: '', trunkId: '' },
            ];
            return appsOf(run({ $case: 'dial', value: dialOf('', { groups: [{ legs, timeoutS: 20 }] }) }));
          },
          (apps) => {
            const legs = dialled(apps.find(({ name }) => name === 'bridge')!.arg!);
            expect(legs.map(({ ways }) => ways.length)).toEqual([2, 1]);
            const path = nextHop && `;fs_path=${encodeURIComponent(nextHop)}`;
            expect(legs[0]!.ways.map(({ to }) => to)).toEqual([
              `sofia/mesh/sip:a@1.2.3.4${path}`,
              `sofia/mesh/sip:b@[2001:db8::1]:5080;transport=tcp${path}`,
            ]);
            expect(legs[0]!.variables.get('callmesh_agent') ?? '').toBe(agentId);
            expect(legs[0]!.variables.get('callmesh_trunk') ?? '').toBe(trunkId);
            for (const { variables } of legs) {
              expect(variables.get('sip_h_X-Callmesh-Session')).toBe('0123456789abcdef');
              expect(variables.get('originate_timeout')).toBe('20');
            }
            // A busy party is not tried again by another way; one way has nothing to say about that.
            expect(legs.map(({ variables }) => variables.has('fail_on_single_reject'))).toEqual([
              true,
              false,
            ]);
          },
          /^run\.program\.steps\[0\]\.dial\.groups\[0\]\.legs\[[01]\]\.(agent_id|trunk_id|hops\[[01]\]\.next_hop)$/,
        ),
      ),
      { numRuns: 2_000 },
    );
  });

  it('originates what was asked for', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (value, callerName, callId, text) =>
        renderedOrRefused(
          () => {
            const dial = dialOf('sip:bob@10.0.0.7', { callerName });
            const program = programOf({ $case: 'say', value: { text, voice: '' } });
            const variables = { variables: { mine: value, 'sip_h_X-Ours': value } };
            const value_ = { dial, program, callId, variables, function: 'general' };
            return originatePlan(commandOf({ $case: 'originate', value: value_ }), setting);
          },
          ({ lines, awaits }) => {
            expect(awaits).toBe('leg');
            const [api, legs, destination, dialplan, context, name, number, ...more] = words(lines[0]!);
            expect([api, dialplan, context, number, more]).toEqual([
              'originate',
              'inline',
              'undef',
              'undef',
              [],
            ]);
            expect(name).toBe(callerName || 'undef');
            const [leg, ...others] = dialled(legs!);
            expect(others).toEqual([]);
            expect(leg!.ways.map(({ to }) => to)).toEqual(['sofia/mesh/sip:bob@10.0.0.7']);
            expect(leg!.ways[0]!.variables).toEqual(new Map([['origination_uuid', UUID]]));
            expect(leg!.variables.get('mine')).toBe(value);
            expect(leg!.variables.get('sip_h_X-Ours')).toBe(value);
            expect(leg!.variables.get('sip_invite_call_id') ?? '').toBe(callId);
            const apps = executed(destination!, nothing);
            expect(apps.map((app) => app.name)).toEqual(['speak']);
            expect(spoken(apps[0]!.arg!).text).toBe(text);
          },
          /^(originate\.(variables\.variables\.(mine|sip_h_X-Ours)|dial\.caller_name|program\.steps\[0\]\.say\.text)|call_id)$/,
        ),
      ),
      { numRuns: 4_000 },
    );
  });

  it.each<[string, (text: string) => What]>([
    ['play.play.source', (source) => ({ $case: 'play', value: { play: { source, loops: 0 }, both: false } })],
    ['hang_up.cause', (cause) => ({ $case: 'hangUp', value: { cause } })],
    ['send_dtmf.digits', (digits) => ({ $case: 'sendDtmf', value: { digits, durationMs: 0 } })],
    ['say.voice', (voice) => ({ $case: 'say', value: { text: 'x', voice } })],
    ['collect.terminators', (terminators) => ({ $case: 'collect', value: { ...COLLECT, terminators } })],
    [
      'collect.prompt.source',
      (source) => ({ $case: 'collect', value: { ...COLLECT, prompt: { source, loops: 0 } } }),
    ],
    [
      'run.program.steps[0].conference.room',
      (room) => run({ $case: 'conference', value: { room, muted: true, moderator: true } }),
    ],
    [
      'run.program.steps[0].voicemail.agent_id',
      (agentId) => run({ $case: 'voicemail', value: { agentId, listen: true } }),
    ],
    ['run.program.steps[0].hang_up.cause', (cause) => run({ $case: 'hangUp', value: { cause } })],
    [
      'run.program.steps[0].dial.continue_on[0]',
      (cause) => run({ $case: 'dial', value: dialOf('sip:a@b', { continueOn: [cause] }) }),
    ],
  ])('%s: no more words or applications than meant, and no marks', (field, make) => {
    const counts = (what: What) => plan(what).lines.map((line) => words(line).length);
    property((text) =>
      renderedOrRefused(
        () => plan(make(text)).lines,
        (lines) => {
          for (const line of lines)
            expect(line).not.toMatch(/[\r\n\0]|\$\{(?!callmesh_digits\}|read_terminator_used\})/);
          expect(lines.map((line) => words(line).length)).toEqual(counts(make(GOOD[field]!)));
        },
        new RegExp(`^${field.replace(/[.[\]]/g, '\\$&')}$`),
      ),
    );
  });
});

const COLLECT = {
  prompt: undefined,
  minDigits: 0,
  maxDigits: 4,
  terminators: '',
  timeoutMs: 5_000,
  digitTimeoutMs: 0,
};
const GOOD: Readonly<Record<string, string>> = {
  'play.play.source': 'a/b.wav',
  'hang_up.cause': 'USER_BUSY',
  'send_dtmf.digits': '1',
  'say.voice': 'kal',
  'collect.terminators': '#',
  'collect.prompt.source': 'a/b.wav',
  'run.program.steps[0].conference.room': 'board',
  'run.program.steps[0].voicemail.agent_id': 'bob@acme.example',
  'run.program.steps[0].hang_up.cause': 'USER_BUSY',
  'run.program.steps[0].dial.continue_on[0]': 'USER_BUSY',
};

import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import type { Phone } from '../sip/phone.ts';
import { dialOf, hop, program, TENANT } from './commanded.ts';
import { ALICE, BOB, CAROL, commanded, header, TONE, TONE_HZ } from './conversation.ts';
import { loudPieces } from './wav.ts';

const originate = (dial: ReturnType<typeof dialOf>) => ({
  ...{ dial, program: undefined, callId: '', variables: undefined, function: '' },
});

commanded('programs and calls of a real FreeSWITCH', (t) => {
  describe('of dialling', () => {
    it('says to whoever is called whose call it is, and by which trunk it is to leave', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice, {
        'X-Callmesh-Function': 'general',
        'X-Callmesh-Trunk': 'came-by',
        'X-Callmesh-Node': 'fs-media-1',
        'X-Ours': 'kept',
      });
      const leg = { hops: [hop(t.bob.uri)], agentId: 'bob@acme.example', trunkId: 'leaves-by' };
      const dial = dialOf([], {
        groups: [{ legs: [leg], timeoutS: 0 }],
        callerNumber: '+49301',
        callerName: "O'Brien, Ann",
      });
      await t.node.run(a, { $case: 'dial', value: dial });
      const b = await t.taken(t.bob);
      expect(header(b, 'X-Callmesh-Session')).toBe(a.session);
      expect(header(b, 'X-Callmesh-Tenant')).toBe(TENANT);
      expect(header(b, 'X-Callmesh-Function')).toBe('general');
      expect(header(b, 'X-Callmesh-Trunk')).toBe('leaves-by');
      expect(header(b, 'X-Callmesh-Node')).toBe('');
      expect(header(b, 'X-Ours')).toBe('kept');
      expect(header(b, 'From')).toMatch(/^"O'Brien, Ann" <sip:\+49301@/);
      expect(await t.node.told({ event: 'created', sessionId: a.session, outbound: true })).toMatchObject({
        ...{ tenantId: TENANT, agentId: 'bob@acme.example', trunkId: 'leaves-by', function: 'general' },
      });
    });

    it('keeps the trunk a call came by to itself', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice, { 'X-Callmesh-Trunk': 'came-by' });
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.bob]]) });
      expect(header(await t.taken(t.bob), 'X-Callmesh-Trunk')).toBe('');
      expect(t.node.story(a.leg)[0]).toMatchObject({ trunkId: 'came-by' });
    });

    it('calls all of a group at once: the first to answer wins, the others are cancelled', async () => {
      await t.phones();
      for (const phone of [t.bob, t.carol]) phone.onCall = (call) => call.ring();
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'ring', value: {} }, { $case: 'dial', value: dialOf([[t.bob, t.carol]]) });
      const [b, c] = [await t.taken(t.bob), await t.taken(t.carol)];
      expect([header(b, 'X-Callmesh-Session'), header(c, 'X-Callmesh-Session')]).toEqual([
        a.session,
        a.session,
      ]);
      await eventually(() => a.call.statuses.includes(180), 'the caller is told that it rings');
      c.answer();
      await t.ended(b);
      await t.hears(a.call, CAROL);
      expect(b.end).toMatchObject({ by: 'remote', status: 487 });
    });

    it('calls group after group, whatever the first fails of', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.refuse(486);
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'dial', value: dialOf([[t.bob], [t.carol]]) });
      await t.hears(a.call, CAROL);
      expect(t.bob.calls).toHaveLength(1);
    });

    it('gives up a group after its time: NO_ANSWER, and the next step follows when that is named', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.ring();
      const a = await t.node.caller(t.alice);
      const [group] = dialOf([[t.bob]]).groups;
      const dial = dialOf([], { groups: [{ ...group!, timeoutS: 1 }], continueOn: ['NO_ANSWER'] });
      await t.node.run(
        a,
        { $case: 'dial', value: dial },
        { $case: 'hangUp', value: { cause: 'CALL_REJECTED' } },
      );
      await t.ended(await t.taken(t.bob));
      await t.ended(a.call);
      expect(a.call.status).toBe(603);
      const out = await t.node.told({ event: 'created', sessionId: a.session, outbound: true });
      expect(await t.node.told({ event: 'hangup', legUuid: out.legUuid })).toMatchObject({
        hangupCause: 'NO_ANSWER',
      });
    });

    it('ends the caller with the cause of the callee, unless that cause is named', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.refuse(486);
      const a = await t.node.caller(t.alice);
      const dial = dialOf([[t.bob]], { continueOn: ['NO_ANSWER'] });
      await t.node.run(a, { $case: 'dial', value: dial }, { $case: 'answer', value: {} });
      await t.ended(a.call);
      expect(a.call.status).toBe(486);
    });

    it('takes the next way when one is dead, and no other when the party itself refuses', async () => {
      await t.phones();
      const nowhere = 'sip:127.0.0.1:9;transport=udp';
      const way = (phone: Phone) => hop(phone.uri, `sip:${phone.address};transport=udp`);
      const dial = (hops: ReturnType<typeof hop>[]) =>
        dialOf([], { groups: [{ legs: [{ hops, agentId: '', trunkId: '' }], timeoutS: 10 }] });
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'dial', value: dial([hop(t.bob.uri, nowhere), way(t.bob)]) });
      await t.hears(a.call, BOB);
      t.carol.onCall = (call) => call.refuse(486);
      const again = await t.node.caller(t.alice);
      await t.node.run(again, { $case: 'dial', value: dial([way(t.carol), way(t.carol)]) });
      await t.ended(again.call);
      expect(again.call.status).toBe(486);
      expect(t.carol.calls).toHaveLength(1);
    });

    it('lets the caller hear what comes before the answer, and still gives up in time', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.earlyMedia();
      const a = await t.node.caller(t.alice);
      const [group] = dialOf([[t.bob]]).groups;
      const dial = dialOf([], { groups: [{ ...group!, timeoutS: 3 }] });
      await t.node.run(a, { $case: 'dial', value: dial });
      await t.hears(a.call, BOB);
      expect(a.call.status).toBe(0);
      await t.ended(a.call);
    });

    it('anonymous: an agent does not learn who calls; a trunk does, to keep it to itself', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      const way = (phone: Phone, agentId: string) => ({ hops: [hop(phone.uri)], agentId, trunkId: '' });
      const legs = [way(t.bob, 'bob@acme.example'), way(t.carol, '')];
      const who = { anonymous: true, callerNumber: '+49301', callerName: 'Ann' };
      await t.node.run(a, { $case: 'dial', value: dialOf([], { groups: [{ legs, timeoutS: 0 }], ...who }) });
      const [b, c] = [await t.taken(t.bob), await t.taken(t.carol)];
      for (const call of [b, c]) {
        expect(header(call, 'Privacy')).toBe('id');
        expect(header(call, 'From')).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
        expect(header(call, 'Remote-Party-ID')).toBe('');
      }
      expect(header(b, 'P-Asserted-Identity')).toBe('');
      expect(header(c, 'P-Asserted-Identity')).toBe('<sip:+49301@anonymous.invalid>');
    });
  });

  describe('of programs', () => {
    it('run: step after step, without anybody; then the leg ends', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      await t.node.run(
        a,
        ...[{ $case: 'ring', value: {} } as const, { $case: 'wait', value: { ms: 200 } } as const],
        { $case: 'answer', value: {} },
        { $case: 'startRecording', value: { stereo: false, limitS: 0 } },
        { $case: 'play', value: { source: TONE, loops: 1 } },
        { $case: 'say', value: { text: 'Good bye', voice: '' } },
      );
      await eventually(() => a.call.statuses.includes(180), 'it rings');
      await t.hears(a.call, TONE_HZ);
      await eventually(() => a.call.ear.hears(TONE_HZ) < 0.1 && a.call.ear.loudness > 300, 'it speaks');
      expect(await t.ended(a.call)).toMatchObject({ by: 'remote' });
      const { recording } = await t.node.told({ event: 'recorded', legUuid: a.leg });
      expect(loudPieces(readFileSync(join(t.node.recordings, recording)))).toContain('loud');
    });

    it('echo: the caller hears itself', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'answer', value: {} }, { $case: 'echo', value: {} });
      await t.hears(a.call, ALICE);
    });

    it('park: waits for commands, and not longer than it is told to', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      await t.node.run(a, { $case: 'answer', value: {} }, { $case: 'park', value: { timeoutS: 1 } });
      await eventually(() => a.call.status === 200, 'answered');
      expect(await t.ended(a.call)).toMatchObject({ by: 'remote' });
    });

    it('stop play: the step that plays is over, repeats and all, and the next follows', async () => {
      await t.phones();
      const a = await t.node.caller(t.alice);
      await t.node.run(
        a,
        { $case: 'answer', value: {} },
        { $case: 'play', value: { source: TONE, loops: -1 } },
        { $case: 'echo', value: {} },
      );
      await t.hears(a.call, TONE_HZ);
      await t.node.ok(a, { $case: 'stopPlay', value: {} });
      await t.hears(a.call, ALICE);
    });

    it('gives FreeSWITCH any text as it is', async () => {
      await t.phones();
      const a = await t.node.answered(t.alice);
      const texts = [
        ...[
          "'",
          "''",
          "it's",
          "'a' 'b'",
          'a,b',
          ', ,',
          'a^b^^c',
          '^^;x',
          'a|b',
          '| |',
          'a;b;',
          'a=b=c',
          '==',
        ],
        ...[
          '[a]',
          '{a}',
          '}{',
          '(a',
          '$',
          '$$',
          '$5',
          'a$',
          '%20',
          'm:^:x',
          '::',
          ' a ',
          '  ',
          'ü😀',
          '"q"',
          '!',
          '@@',
          '#',
        ],
      ];
      const variables = Object.fromEntries(texts.map((text, at) => [`mine${at}`, text]));
      const seen = async () => {
        const dump = JSON.parse(await t.node.api(`uuid_dump ${a.leg} json`));
        return Object.fromEntries(Object.keys(variables).map((name) => [name, dump[`variable_${name}`]]));
      };
      await t.node.ok(a, { $case: 'setVariables', value: { variables } });
      expect(await seen()).toEqual(variables);
      const turned = Object.fromEntries(texts.map((text, at) => [`mine${at}`, `${text}!${text}`]));
      await t.node.run(
        a,
        { $case: 'setVariables', value: { variables: turned } },
        { $case: 'park', value: { timeoutS: 0 } },
      );
      await eventually(async () => (await seen()).mine0 === turned.mine0, 'the program ran');
      expect(await seen()).toEqual(turned);
    });
  });

  describe('of originating', () => {
    it('replies when the leg is there, before it is answered; then it does its program', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.ring();
      const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
      const variables = { variables: { account: "a,b 'c'", 'sip_h_X-Ticket': 'T 1, 2' } };
      await t.node.ok(ask, {
        $case: 'originate',
        value: {
          dial: dialOf([[t.bob]], { callerNumber: '+49301', callerName: "O'Brien, Ann" }),
          program: program({ $case: 'play', value: { source: TONE, loops: 600 } }),
          callId: 'bound-by-this-1',
          variables,
          function: 'outbound-bot',
        },
      });
      const b = await t.taken(t.bob);
      expect(b.session.state).toBe('early');
      expect(await t.node.told({ event: 'created', legUuid: ask.leg })).toMatchObject({
        ...{ tenantId: TENANT, sessionId: ask.session, function: 'outbound-bot', outbound: true },
      });
      expect(header(b, 'Call-ID')).toBe('bound-by-this-1');
      expect(header(b, 'X-Callmesh-Session')).toBe(ask.session);
      expect(header(b, 'X-Ticket')).toBe('T 1, 2');
      expect(header(b, 'From')).toMatch(/^"O'Brien, Ann" <sip:\+49301@/);
      b.answer();
      await t.hears(b, TONE_HZ);
      expect(await t.node.api(`uuid_getvar ${ask.leg} account`)).toBe(variables.variables.account);
    });

    it('parks the leg when there is no program', async () => {
      await t.phones();
      const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
      await t.node.ok(ask, { $case: 'originate', value: originate(dialOf([[t.bob]])) });
      await t.node.told({ event: 'answered', legUuid: ask.leg });
      await t.node.ok(ask, { $case: 'play', value: { play: { source: TONE, loops: -1 }, both: false } });
      await t.hears(await t.taken(t.bob), TONE_HZ);
    });

    it('tells the end of a leg that refused', async () => {
      await t.phones();
      t.bob.onCall = (call) => call.refuse(486);
      const ask = { leg: randomUUID(), session: randomBytes(8).toString('hex') };
      await t.node.command(ask, { $case: 'originate', value: originate(dialOf([[t.bob]])) });
      expect(await t.node.told({ event: 'hangup', legUuid: ask.leg })).toMatchObject({
        hangupCause: 'USER_BUSY',
        summary: expect.objectContaining({ endedBy: 'far', sipStatus: 486, q850Cause: 17 }),
      });
    });
  });
});

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviceAddress } from '../src/domain/freeswitch/contact.ts';
import { userPart } from '../src/domain/freeswitch/dial-string.ts';
import { dialplanXml } from '../src/handlers/freeswitch/xml.ts';
import { actionsOf, type Exchange, openExchange } from './support/exchange.ts';

/** What FreeSWITCH expands, takes for a quote or a separator, or an XML reader for markup. */
const LOADED = [
  '${',
  '$${',
  '\\',
  "'",
  '"',
  ',',
  '|',
  '[',
  ']',
  '{',
  '}',
  '^',
  '<',
  '>',
  '&',
  ';',
  '%',
  '\r\n',
  '\0',
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...LOADED), fc.string({ unit: 'grapheme', maxLength: 4 })), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));
/** Most of it is right or nearly right: that is what gets far. */
const nearly = (good: string) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(good) },
    { weight: 1, arbitrary: hostile.map((bad) => good + bad) },
    { weight: 1, arbitrary: hostile },
  );

const fields = fc.record({
  hostname: fc.constantFrom('fs-router-1', 'fs-tandem-1'),
  'Caller-Context': fc.constantFrom('mesh', 'carriers'),
  variable_sip_call_id: nearly('c1'),
  variable_sip_req_user: fc.oneof(nearly('+4989123456'), nearly('alice'), nearly('030100')),
  variable_sip_req_host: fc.oneof(fc.constant('acme.example'), nearly('10.0.4.1')),
  variable_sip_from_user: nearly('alice'),
  variable_sip_from_host: nearly('acme.example'),
  'Caller-Caller-ID-Number': nearly('+4930100'),
  variable_sip_Privacy: nearly('id'),
  variable_sip_network_ip: fc.constantFrom('192.0.2.31', '10.0.9.2', '10.0.1.1', '203.0.113.5'),
  variable_sip_network_port: fc.constantFrom('5060', '1', 'x'),
  variable_sip_auth_username: fc.oneof(fc.constant(''), nearly('gamma')),
  'variable_sip_h_X-Callmesh-Session': nearly('aaaaaaaaaaaaaaaa'),
  'variable_sip_h_X-Callmesh-Tenant': nearly('acme'),
  'variable_sip_h_X-Callmesh-Agent': fc.oneof(fc.constant(''), nearly('alice@acme.example')),
  'variable_sip_h_X-Callmesh-Trunk': fc.oneof(fc.constant(''), nearly('alpha')),
  'variable_sip_h_X-Callmesh-Node': fc.oneof(fc.constant(''), nearly('fs-router-1')),
});
const contacts = fc.array(
  fc.record({
    uri: fc.oneof(
      fc.tuple(hostile, hostile).map(([user, rest]) => `sip:${user}@192.0.2.1${rest}`),
      nearly('sip:k2n8@o3.invalid;transport=ws'),
    ),
    path: fc.array(nearly('<sip:edge@10.0.9.2:5060;lr>'), { maxLength: 2 }),
    routerId: fc.constant('fs-router-1'),
    tenantId: fc.constantFrom('acme', 'acme', 'bravo'),
  }),
  { maxLength: 4 },
);

/** The whole of what an action may look like, whoever called whom. */
const SHAPES = [
  /^set [a-z_]+=[A-Za-z0-9_.@+-]+(,[A-Z_]+)*$/,
  /^respond [3-6]\d\d [A-Za-z/ -]+$/,
  /^bridge (\{fail_on_single_reject=![A-Z_/]+\})?(\[[^[\]]+\]sofia\/(mesh|gateway)\/[A-Za-z0-9+*._~%@:;=/-]+[,|]?)+$/,
];

describe('an answer to FreeSWITCH', () => {
  let exchange: Exchange;
  beforeAll(async () => {
    const rules = { inbound: { called: [{ match: '0', strip: 1, prepend: '+49' }] } };
    const alpha = { kind: 'carrier', from: ['192.0.2.31'], contact: 'sip:192.0.2.31', rules };
    exchange = await openExchange({ tenants: { acme: { trunks: { alpha } } } });
  });
  afterAll(() => exchange.server.close());

  it('has only what policy meant to say, whatever a call says', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fields, contacts, async (asked, registered) => {
        exchange.contacts = { 'alice@acme.example': registered };
        const { status, actions, text } = await exchange.dialplan(asked);
        expect([200, 400]).toContain(status);
        expect(text).not.toMatch(/\$\{|\\|<\?|[\0\r]/);
        for (const action of actions)
          expect(
            SHAPES.some((shape) => shape.test(action)),
            action,
          ).toBe(true);
        if (actions.some((action) => action.startsWith('bridge'))) accepted += 1;
      }),
      { numRuns: 2_000 },
    );
    // Were everything refused, nothing would have been looked at.
    expect(accepted).toBeGreaterThan(50);
  });

  it('asks of each device no more than its own address', () => {
    fc.assert(
      fc.property(contacts, (list) => {
        for (const one of list) {
          const address = deviceAddress(one);
          if (address === undefined) continue;
          expect(address).toMatch(/^sofia\/mesh\/sips?:[A-Za-z0-9+*._~%@:;=[\]-]+$/);
          expect(address.match(/;fs_/g)?.length ?? 0).toBe(one.path.length > 0 ? 1 : 0);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('escapes a user part so that it reads back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (user) => {
        const escaped = userPart(user.toWellFormed());
        expect(escaped).toMatch(/^[A-Za-z0-9+*._%-]*$/);
        expect(decodeURIComponent(escaped)).toBe(user.toWellFormed());
      }),
    );
  });

  it('reads back from XML as it was written', () => {
    const text = fc.string({ unit: fc.constantFrom(...'abc ${}<>"\'[]|,;='), maxLength: 30 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), (list) => {
        const apps = list.map((data) => ({ application: 'set', data }));
        expect(actionsOf(dialplanXml('mesh', apps))).toEqual(list.map((data) => `set ${data}`));
      }),
    );
  });
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Uac } from '../uac.ts';
import { parseDialString } from './dialstring.ts';
import { StandinNode } from './node.ts';

describe('a dial string', () => {
  it('has variables, alternatives and a path', () => {
    const [first, second] = parseDialString(
      "{a=1,b='x,y'}[c=3]sofia/internal/1000@10.0.0.1:5070|sofia/internal/sip:2@10.0.0.2;fs_path=sip%3A10.0.0.9%3A5080",
    ).flat(2);
    expect(first).toMatchObject({
      uri: 'sip:1000@10.0.0.1:5070',
      user: '1000',
      name: 'sofia/internal/1000@10.0.0.1:5070',
    });
    expect(first?.variables).toEqual(
      new Map([
        ['a', '1'],
        ['b', 'x,y'],
        ['c', '3'],
      ]),
    );
    expect(second).toMatchObject({ uri: 'sip:2@10.0.0.2', target: { host: '10.0.0.9', port: 5080 } });
  });

  it('of another endpoint than sofia leads nowhere', () => {
    expect(parseDialString('user/1000@acme').flat(2)).toEqual([]);
  });
});

describe('a dialplan from mod_xml_curl', () => {
  const open: (StandinNode | Uac | Server)[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) 'kill' in one ? one.kill() : one.close();
  });

  /** A node whose dialplan is answered by `answer`, and what it posted. */
  async function node(
    answer: (form: URLSearchParams) => { status?: number; xml?: string } | undefined,
    dialplanTimeoutMs = 5000,
  ) {
    const posted: URLSearchParams[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      posted.push(form);
      const got = answer(form);
      if (got) response.writeHead(got.status ?? 200, { 'content-type': 'text/xml' }).end(got.xml ?? '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const settings = {
      dialplanUrl: `http://127.0.0.1:${port}/v1/freeswitch/dialplan`,
      dialplanTimeoutMs,
    };
    const made = await StandinNode.start({ id: 'fs-1', settings });
    const uac = await Uac.open({ user: '+4930111' });
    open.push(made, uac, server);
    const dial = (number: string, headers = {}) =>
      uac.call({ proxy: made.sip, to: `sip:${number}@acme`, headers });
    return { made, dial, posted };
  }

  const plan = (extensions: string) =>
    `<document type="freeswitch/xml"><section name="dialplan"><context name="default">${extensions}</context></section></document>`;
  const when = (expression: string, actions: string) =>
    `<extension name="x"><condition field="destination_number" expression="${expression}">${actions}</condition></extension>`;

  it('is asked for with what FreeSWITCH posts', async () => {
    const { dial, posted } = await node(() => ({
      xml: plan(when('.*', '<action application="answer"/><action application="park"/>')),
    }));
    const call = dial('1000', { 'X-Callmesh-Tenant': 'acme' });
    expect((await call.outcome).status).toBe(200);
    const form = posted[0]!;
    expect(Object.fromEntries(form)).toMatchObject({
      hostname: 'fs-1',
      section: 'dialplan',
      'Caller-Destination-Number': '1000',
      'Hunt-Destination-Number': '1000',
      'variable_sip_h_X-Callmesh-Tenant': 'acme',
      variable_sip_call_id: call.callId,
    });
    await call.bye();
  });

  it('takes the first extension that matches, with what was captured', async () => {
    const { made, dial } = await node(() => ({
      xml: plan(
        when('^9', '<action application="hangup" data="USER_BUSY"/>') +
          when(
            '^(\\d)00$',
            '<action application="set" data="first=$1"/><action application="answer"/><action application="park"/>',
          ) +
          when('.*', '<action application="respond" data="410 Gone"/>'),
      ),
    }));
    expect((await dial('99').outcome).status).toBe(486);
    expect((await dial('5').outcome).status).toBe(410);
    const call = dial('300');
    expect((await call.outcome).status).toBe(200);
    expect([...made.channels.values()][0]?.variables.get('first')).toBe('3');
  });

  it('bridges by its dial string', async () => {
    const far = await StandinNode.start({ id: 'far' });
    open.push(far);
    const { dial } = await node(() => ({
      xml: plan(
        when('^(.*)$', `<action application="bridge" data="{sip_h_X-Leg=b}sofia/internal/$1@${far.sip}"/>`),
      ),
    }));
    expect((await dial('77').outcome).status).toBe(200);
    const leg = [...far.channels.values()][0];
    expect([leg?.profile.destination, leg?.variables.get('sip_h_X-Leg')]).toEqual(['77', 'b']);
  });

  it.each([
    [
      'says not found',
      { xml: '<document><section name="result"><result status="not found"/></section></document>' },
    ],
    ['fails', { status: 500 }],
    ['is no XML', { xml: '<<<' }],
    ['never comes', undefined],
  ])('that %s leaves no route: 404', async (_, answer) => {
    const { dial } = await node(() => answer, answer ? 5000 : 100);
    expect((await dial('1').outcome).status).toBe(404);
  });
});

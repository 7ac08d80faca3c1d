import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { sdp } from '../sip/message.ts';
import { RtpEnd } from '../sip/rtp.ts';
import { Uac } from '../standin/uac.ts';
import { describeReal, Lab, type LabNode } from './lab.ts';
import { dialplan, section } from './xml-server.ts';

const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': 'acme' };

interface Channel {
  readonly uuid: string;
  readonly application: string;
  readonly callstate: string;
}

describeReal('a real fs-media', () => {
  const lab = new Lab();
  let media: LabNode;
  let router: LabNode;
  const ends: Uac[] = [];
  const open = async (user: string) => {
    const end = await Uac.open({ host: '127.0.0.1', user });
    ends.push(end);
    return end;
  };
  beforeAll(async () => {
    [media, router] = await Promise.all([lab.node('fs-media-1', 'media'), lab.node('fs-router-1', 'router')]);
  }, 60_000);
  afterEach(() => {
    for (const end of ends.splice(0)) end.close();
  });
  afterAll(() => lab.stop());

  const channels = async (node = media): Promise<Channel[]> =>
    (JSON.parse(await node.api('show channels as json')) as { rows?: Channel[] }).rows ?? [];
  const parked = () =>
    eventually(
      async () => (await channels()).find(({ application }) => application === 'park'),
      'the call is parked',
    );
  const does = async (uuid: string, ...apps: readonly string[]) =>
    expect(await media.api(`uuid_transfer ${uuid} 'm:^:${apps.join('^')}' inline`)).toContain('+OK');

  it('lets a call of the mesh wait unanswered, and lets it go', async () => {
    const pbx = await open('pbx');
    const call = pbx.call({ proxy: media.sip, to: `sip:+4930100@${media.sip}`, headers: SESSION });
    expect((await parked()).callstate).toBe('RINGING');
    call.cancel();
    const { status, statuses } = await call.outcome;
    expect(status).toBe(487);
    expect(statuses.filter((each) => each > 100)).toEqual([487]);
    await eventually(async () => (await channels()).length === 0, 'nothing is left');
  });

  it('takes only what the mesh sent', async () => {
    const pbx = await open('pbx');
    const forged = { ...SESSION, 'X-Callmesh-Session': 'not-a-session' };
    const call = pbx.call({ proxy: media.sip, to: `sip:+4930100@${media.sip}`, headers: forged });
    expect((await call.outcome).status).toBe(404);
  });

  it.each(['mod_conference', 'mod_voicemail', 'mod_opus', 'mod_sndfile', 'mod_flite'])(
    'has %s',
    async (module) => {
      expect(await media.api(`module_exists ${module}`)).toBe('true');
    },
  );

  it('speaks, and takes a message for a mailbox the mesh knows', async () => {
    media.xml.answer = ({ fields }) =>
      section(
        'directory',
        `<domain name="${fields.get('domain')}"><user id="${fields.get('user')}"/></domain>`,
      );
    const [pbx, ear] = [await open('pbx'), await RtpEnd.open('127.0.0.1')];
    const offer = sdp('127.0.0.1', ear.port);
    const call = pbx.call({ proxy: media.sip, to: `sip:200@${media.sip}`, headers: SESSION, sdp: offer });
    await does((await parked()).uuid, 'answer', 'voicemail:default acme.example alice');
    const { status, response } = await call.outcome;
    expect(status).toBe(200);
    const port = Number(/^m=audio (\d+)/m.exec(response.body)?.[1]);
    const noise = String.fromCharCode(...Array.from({ length: 160 }, (_, n) => (n * 37) % 128));
    await eventually(
      () => ear.received.filter((payload) => new Set(payload).size > 3).length > 100,
      'a prompt is heard',
    );
    await eventually(
      () => {
        ear.send(noise, port);
        // Packets of 20 ms: the prompts, the tone, and a message of some seconds.
        return ear.received.length > 550;
      },
      'the message was long enough',
      20_000,
    );
    await call.bye();
    await eventually(async () => (await media.api('vm_boxcount alice@acme.example')) === '1', 'it is kept');
    expect(await media.api('vm_boxcount bob@acme.example')).toBe('0');
    ear.close();
  });

  it('is called by an fs-router, and calls one', async () => {
    const [agent, door] = [await open('agent'), await open('door')];
    agent.onCall = (session) => session.accept({ body: sdp('127.0.0.1', 40_120) });
    router.xml.answer = ({ fields }) => {
      const headers = 'sip_h_X-Callmesh-Session=0123456789abcdef,sip_h_X-Callmesh-Tenant=acme';
      const to = fields.get('variable_sip_req_user') === 'alice' ? agent.address : media.sip;
      return dialplan('mesh', [
        'bridge',
        `[${headers}]sofia/mesh/sip:${fields.get('variable_sip_req_user')}@${to}`,
      ]);
    };
    // Towards it: what an agent dials waits at the media node.
    const call = door.call({ proxy: router.sip, to: 'sip:+4930100@acme.example', headers: SESSION });
    const { uuid } = await parked();
    // And back: it calls another agent through the router.
    await does(uuid, `bridge:sofia/mesh/sip:alice@acme.example;fs_path=sip:${router.sip}`);
    expect((await call.outcome).status).toBe(200);
    await eventually(async () => (await channels()).length === 2, 'two legs at the media node');
    expect(await channels(router)).toHaveLength(4);
    await call.bye();
    await eventually(async () => (await channels(router)).length === 0, 'nothing is left');
  });
});

describeReal('a real fs-media whose calls nobody takes', () => {
  const lab = new Lab();
  afterAll(() => lab.stop());

  it('gives each up with 503 after its time', async () => {
    const media = await lab.node('fs-media-1', 'media', undefined, { FS_PARK_S: '1' });
    const pbx = await Uac.open({ host: '127.0.0.1', user: 'pbx' });
    const call = pbx.call({ proxy: media.sip, to: `sip:+4930100@${media.sip}`, headers: SESSION });
    expect((await call.outcome).status).toBe(503);
    pbx.close();
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { type Account, authorize, digestParameters, ha1Of, isRight } from './credentials.ts';
import { refusal, routeTo, type Script } from './fake-policy.ts';
import { header, parse, type SipMessage } from './message.ts';
import { type Stage, stage } from './stage.ts';

const account: Account = { user: 'pbx', realm: 'acme.example', password: 'correct horse' };
const wrong: Account = { ...account, password: 'battery staple' };

/** Policy as far as digest goes. */
function digestPolicy(node: string): Script {
  return ({ body }) => {
    const authorization = String(body.authorization);
    if (!authorization) return refusal(401, 'challenge', 401, 'Unauthorized', { realm: account.realm });
    if (!isRight(account, authorization, 'INVITE')) return refusal(401, 'unauthenticated', 403, 'Forbidden');
    return routeTo([node], { extra: { ha1: ha1Of(account), realm: account.realm } });
  };
}

/** A first INVITE of this dialog, challenged. */
async function challenged(dialog: Dialog): Promise<SipMessage> {
  const reply = await call(dialog);
  expect(reply.status).toBe(401);
  dialog.cseq += 1;
  return reply;
}

const withCredentials = (dialog: Dialog, who: Account, challenge: SipMessage, nc = 1) =>
  call(dialog, { headers: [['Authorization', authorize(who, challenge, 'INVITE', dialog.target, nc)]] });

describe('a trunk that proves itself by digest', () => {
  const s = stage();
  let node: Awaited<ReturnType<Stage['node']>>;

  beforeEach(async () => {
    node = await s.node();
    s.policy.script = digestPolicy(node.key);
  });

  it('is challenged with qop=auth and a nonce of its own', async () => {
    const first = digestParameters(header(await challenged(new Dialog(s.pbx, s.edge)), 'WWW-Authenticate'));
    const second = digestParameters(header(await challenged(new Dialog(s.pbx, s.edge)), 'WWW-Authenticate'));
    expect(first).toMatchObject({ realm: account.realm, qop: 'auth' });
    expect(first.nonce).not.toBe(second.nonce);
  });

  it('is let in with the right password, and its credentials stay at the edge', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    const ok = await withCredentials(dialog, account, await challenged(dialog));
    expect(ok.status).toBe(200);
    const { message } = await node.takeRequest('INVITE');
    expect(header(message, 'Authorization')).toBe('');
    expect(s.policy.questions).toHaveLength(2);
  });

  it('is refused with a wrong password, and no node hears of it', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    const no = await withCredentials(dialog, wrong, await challenged(dialog));
    expect(no.status).toBe(403);
    expect(node.count('INVITE')).toBe(0);
  });

  it('that replays a request’s credentials is challenged anew, and policy is not asked', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    const challenge = await challenged(dialog);
    expect((await withCredentials(dialog, account, challenge)).status).toBe(200);
    s.policy.questions.length = 0;
    const thief = new Dialog(await s.party('127.0.0.7'), s.edge);
    const no = await withCredentials(thief, account, challenge);
    expect(no.status).toBe(401);
    expect(digestParameters(header(no, 'WWW-Authenticate'))).toMatchObject({ stale: 'true' });
    expect(s.policy.questions).toEqual([]);
    expect(node.count('INVITE')).toBe(1);
    await expect.poll(() => s.policy.audits).toMatchObject([{ what: 'replay', domain: account.realm }]);
    // With the new nonce it goes on: whoever knows the password was only late.
    thief.cseq += 1;
    expect((await withCredentials(thief, account, no)).status).toBe(200);
  });

  it('is not taken for a replay when its INVITE is only retransmitted', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    const authorization = authorize(account, await challenged(dialog), 'INVITE', dialog.target);
    const invite = dialog.request('INVITE', { headers: [['Authorization', authorization]] });
    for (let i = 0; i < 5; i++) s.pbx.send(invite, s.edge);
    dialog.confirm((await dialog.reply('INVITE')).message);
    s.pbx.send(invite, s.edge);
    expect((await dialog.reply('INVITE')).message.status).toBe(200);
    expect(s.policy.questions).toHaveLength(2);
    expect(node.count('INVITE')).toBe(1);
  });

  it('that invents a nonce is challenged, whatever policy says', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    const forged = (await challenged(dialog)).raw.toString('latin1').replace(/nonce="...../, 'nonce="AAAAA');
    const no = await withCredentials(dialog, account, parse(Buffer.from(forged, 'latin1')));
    expect(no.status).toBe(401);
    expect(node.count('INVITE')).toBe(0);
  });

  it('that sends nonsense as credentials is answered 400', async () => {
    const no = await call(new Dialog(s.pbx, s.edge), { headers: [['Authorization', 'Digest nonsense']] });
    expect(no.status).toBe(400);
  });
});

describe('without policy, a trunk that proves itself by digest', () => {
  const s = stage();
  let node: Awaited<ReturnType<Stage['node']>>;

  beforeEach(async () => {
    node = await s.node();
    await s.edge.policies([]);
    await s.edge.fallbackNodes([[3, node.key]]);
    await s.edge.rpc('htable.sets', ['trunkauth', `@${account.realm}`, '1']);
    const entry = `${ha1Of(account)}|3|acme|acme-digest|never`;
    await s.edge.rpc('htable.sets', ['trunkauth', `${account.user}@${account.realm}`, entry]);
  });

  const dialogOf = () => new Dialog(s.pbx, s.edge, { from: `sip:${account.user}@${account.realm}` });

  it('is let in with the right password, to its own group', async () => {
    const dialog = dialogOf();
    expect((await withCredentials(dialog, account, await challenged(dialog))).status).toBe(200);
    const { message } = await node.takeRequest('INVITE');
    expect(header(message, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(message, 'Record-Route')).toContain('tn=acme');
  });

  it('is refused with a wrong password', async () => {
    const dialog = dialogOf();
    expect((await withCredentials(dialog, wrong, await challenged(dialog))).status).toBe(403);
    expect(node.count('INVITE')).toBe(0);
  });

  it('that is no trunk of ours is refused', async () => {
    const dialog = dialogOf();
    const challenge = await challenged(dialog);
    expect((await withCredentials(dialog, { ...account, user: 'stranger' }, challenge)).status).toBe(403);
  });

  it('of a realm nobody has is not challenged', async () => {
    const dialog = new Dialog(s.pbx, s.edge, { from: 'sip:x@elsewhere.example' });
    expect((await call(dialog)).status).toBe(403);
  });
});

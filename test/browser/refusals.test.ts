import { AgentPage, eventually } from '@callmesh/local';
import type { AuditEvent } from '@callmesh/proto/audit';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebPeer } from '../sip/web-peer.ts';
import { Uac } from '../standin/uac.ts';
import type { Chromium } from './chromium.ts';
import { BrowserStage, PASSWORD } from './stage.ts';
import { WebAgent } from './web-agent.ts';

/** Address of somebody who is refused too. */
const STRANGER = '127.0.0.99';

/**
 * Refusals as a browser meets them. Those it has no part in are in test/node-agent/agents-door.test.ts and
 * test/sip/register.test.ts: an agent that is switched off, another's name.
 */
describe('who may not, in a real browser', () => {
  let stage: BrowserStage;
  let browser: Chromium;
  let foreign: AgentPage;
  const pages: Page[] = [];

  beforeAll(async () => {
    stage = await BrowserStage.start();
    foreign = await AgentPage.open();
    browser = await stage.browser(600);
  }, 180_000);
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
  });
  afterAll(async () => {
    await foreign?.close();
    await stage?.stop();
  });

  async function agent(): Promise<WebAgent> {
    const page = await browser.page(stage.page.origin);
    pages.push(page);
    return new WebAgent(page);
  }

  /** What is told of `act`: a stranger's attempts afterwards, one in each order that is kept, end it. */
  async function toldOf(act: () => Promise<unknown>): Promise<Partial<AuditEvent>[]> {
    stage.told.length = 0;
    await act();
    const stranger = await Uac.open({ host: STRANGER, user: 'stranger' });
    const credentials = { username: 'stranger', password: PASSWORD };
    for (const domain of ['acme.example', 'bravo.example'])
      await stranger.register({ proxy: stage.door.sip, aor: `sip:stranger@${domain}`, credentials });
    stranger.close();
    const options = { origin: 'https://evil.example', localAddress: STRANGER };
    await WebPeer.open(stage.door.ws, options).catch(() => {});
    const strangers = () => stage.told.filter(({ actor }) => actor === STRANGER);
    await eventually(() => strangers().length === 3, 'the stranger is told of');
    return stage.told
      .filter((event) => !strangers().includes(event))
      .map(({ what, code, tenantId }) => ({ what, code, tenantId }));
  }

  it('a wrong password is refused, and the page says so', async () => {
    const told = await toldOf(async () => {
      const alice = await agent();
      await alice.signIn('alice@acme.example', 'guess');
      await alice.state('Refused – name or password is wrong');
    });
    expect(told).toEqual([{ what: 'register', code: 'unauthenticated', tenantId: 'acme' }]);
  });

  it('a page of another origin gets no connection', async () => {
    const told = await toldOf(async () => {
      const page = await browser.page(foreign.origin);
      pages.push(page);
      const closed = await page.evaluate(opens, [stage.door.ws]);
      expect(closed).toBe('closed 1006');
    });
    expect(told).toEqual([{ what: 'origin', code: 'origin_forbidden', tenantId: '' }]);
  });

  it('an agent of another tenant is refused on this tenant’s page', async () => {
    const told = await toldOf(async () => {
      const dave = await agent();
      await dave.signIn('dave@bravo.example', PASSWORD);
      await dave.state('Refused – agents of this name do not work on this page');
    });
    expect(told).toEqual([{ what: 'register', code: 'origin_forbidden', tenantId: 'bravo' }]);
  });

  it('another tenant’s agents are nobody one could call', async () => {
    const told = await toldOf(async () => {
      const alice = await agent();
      await alice.signIn('alice@acme.example', PASSWORD);
      await alice.ready();
      await alice.dial('dave@bravo.example');
      await alice.call('ended').filter({ hasText: 'Ended: 404 Not Found' }).waitFor();
    });
    expect(told).toEqual([]);
  });

  it('a page that slept through the end of its registration calls nobody', async () => {
    const told = await toldOf(async () => {
      const alice = await agent();
      // The door and the page are told different times.
      await alice.page.routeWebSocket(/.*/, (socket) => {
        const door = socket.connectToServer();
        socket.onMessage((text) => door.send(String(text).replace(/(?<=expires[:=] ?)300/gi, '1')));
        door.onMessage((text) => socket.send(String(text).replace(/(?<=expires[:=] ?)1$/gim, '300')));
      });
      await alice.signIn('alice@acme.example', PASSWORD);
      await alice.ready();
      await eventually(async () => {
        await alice.dial('1002');
        const ended = alice.call('ended');
        await ended.waitFor();
        return (await ended.textContent())?.includes('Ended: 403 Not Registered') || alice.quiet();
      }, 'the registration is over');
    });
    expect(told).toEqual([{ what: 'call', code: 'unauthenticated', tenantId: 'acme' }]);
  });

  it('credentials that were listened to are of no use to anybody else', async () => {
    const told = await toldOf(async () => {
      const alice = await agent();
      const sent: string[] = [];
      alice.page.on('websocket', (socket) =>
        socket.on('framesent', ({ payload }) => void sent.push(String(payload))),
      );
      await alice.signIn('alice@acme.example', PASSWORD);
      await alice.ready();
      const proven = sent.find((text) => /^REGISTER .*\r\nAuthorization: /s.test(text))!;
      // Another transaction: the same once more would be a retransmission, answered to alice.
      const stolen = proven.replace(/branch=\w+/, 'branch=z9hG4bKthief');
      const thief = await browser.page(stage.page.origin);
      pages.push(thief);
      expect(await thief.evaluate(opens, [stage.door.ws, stolen])).toBe('SIP/2.0 401 Unauthorized');
    });
    expect(told).toEqual([{ what: 'replay', code: 'unauthenticated', tenantId: 'acme' }]);
  });
});

/** In the page: opens a WebSocket and says something; what comes back first. */
function opens([url, text]: string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url!, 'sip');
    socket.onopen = () => text && socket.send(text);
    socket.onmessage = ({ data }) => {
      resolve(String(data).split('\r\n', 1)[0]!);
      socket.close();
    };
    socket.onclose = ({ code }) => resolve(`closed ${code}`);
  });
}

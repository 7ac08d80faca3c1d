import { eventually } from '@callmesh/local';
import type { Batch } from '@callmesh/standin/uac';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Chromium } from '../browser/chromium.ts';
import { mediaNodes, tenants, World } from '../mesh/world.ts';
import { Fleet } from './fleet.ts';

const NODES = 200;
const REAL = 2;
const tenant = tenants(1, ['red'], 71)[0]!;
const RED_2 = 'document.querySelector(\'.tile[data-id="fs-red-2"]\')';
const pictures = process.env.CONSOLE_PICTURES;

let world: World;
let fleet: Fleet;
let chromium: Chromium;
let url: string;
let page: Page;
let calls: Batch;
const faults: string[] = [];

beforeAll(async () => {
  const carries = { max: 100 };
  world = await World.start([tenant], {
    nodes: mediaNodes('red', REAL, carries),
    replicas: { 'call-control': 1 },
  });
  const { mesh } = world;
  fleet = new Fleet(NODES - REAL, { etcd: mesh.etcd.url, nats: mesh.nats.url });
  await fleet.start();
  url = `http://${mesh.service('state-1').ready.console}`;
  chromium = await Chromium.launch(440);
  calls = await (await world.pbx(tenant)).run({
    count: 30,
    rate: 30,
    holdMs: 0,
    call: () => world.to(tenant),
  });
  page = await open(1440);
}, 90_000);
afterAll(async () => {
  await chromium?.close();
  await fleet?.stop();
  await world?.stop();
});
afterEach(() => expect(faults).toEqual([]));

async function open(width: number): Promise<Page> {
  const opened = await chromium.page(url, width);
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  opened.on('pageerror', (error) => faults.push(String(error)));
  await opened.getByLabel('token').fill(world.mesh.token);
  await opened.getByRole('button', { name: 'Sign in' }).click();
  await opened.locator('#line[data-state="live"]').waitFor();
  return opened;
}

const tile = (id: string) => page.locator(`.tile[data-id="${id}"]`);
const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const picture = (name: string, of = page) =>
  pictures && of.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });

describe('the console', () => {
  it('shows nothing to who has no token, and says so', async () => {
    const stranger = await chromium.page(url);
    await stranger.getByLabel('token').fill('not-the-token-of-anybody');
    await stranger.getByRole('button', { name: 'Sign in' }).click();
    await stranger.getByText('This is no operator').waitFor();
    await stranger.close();
    for (const path of ['events', 'api/me', 'api/nodes/fs-red-1', 'api/sessions/x'])
      expect((await fetch(`${url}/${path}`)).status).toBe(401);
    expect((await fetch(url, { redirect: 'manual' })).headers.get('location')).toBe('/sign-in');
  });

  it.each(['../package.json', '%2e%2e/config.yaml', 'api/nodes/%00', 'api/sessions/%ff'])(
    'gives nothing that is not its own for /%s',
    async (path) => {
      const headers = { authorization: `Bearer ${world.mesh.token}` };
      expect((await fetch(`${url}/${path}`, { headers })).status).toBeGreaterThanOrEqual(400);
    },
  );

  it('shows 200 nodes under load, and the door that sessions come by', async () => {
    await eventually(
      async () => (await page.locator('.tiles .tile').count()) === NODES,
      'all nodes are shown',
    );
    await page.locator('.door', { hasText: 'kama-pstn-1' }).waitFor();
    await eventually(
      async () => (await page.locator('.flows path').count()) >= 9,
      'sessions flow to the groups',
    );
    expect(await page.locator('.group[data-id="red"] .load').textContent()).toBe('30 of 200 legs on 2 nodes');
    await picture('map-1440');
  });

  it('shows a node that is killed in red within two seconds', async () => {
    const victim = world.mesh.node('fs-red-2').server;
    const killed = Date.now();
    void victim.kill();
    await page.locator('.tile[data-id="fs-red-2"][data-status="down"]').waitFor();
    expect(Date.now() - killed).toBeLessThan(2_000);
    const colour = await page.evaluate(`getComputedStyle(${RED_2}).backgroundColor`);
    expect(colour).toBe('rgb(201, 42, 28)');
    expect(await tile('fs-red-2').textContent()).toBe('\u2715');
    await page.locator('.attention', { hasText: 'fs-red-2' }).waitFor();
    await picture('map-down-1440');
  });

  it('is used by keyboard: to a node, to a session of it, and its story', async () => {
    await page.locator('#find input').focus();
    await page.keyboard.type('fs-red-1');
    await page.keyboard.press('Enter');
    await heading('fs-red-1').waitFor();
    await page.locator('.sessions a').first().waitFor();
    await picture('node-1440');
    await page.locator('.sessions a').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('.story li', { hasText: 'got a node' }).waitFor();
    const told = await page.locator('.facts').textContent();
    expect(told).toContain('fs-red-1');
    // The called number is known by its end alone.
    expect(told).toContain('\u2022\u2022\u202201');
    expect(told).not.toContain(tenant.number.slice(1));
    await picture('session-1440');
    await page.keyboard.press('Escape');
    await page.locator('.group[data-id="fleet-1"]').waitFor();
    const first = page.locator('.group[data-id="fleet-1"] .tile').first();
    await first.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await heading('fs-fleet-002').waitFor();
  });

  it('tells why each session went where it went', async () => {
    await page.getByRole('link', { name: 'Decisions' }).click();
    await heading('Decisions').waitFor();
    await page.getByPlaceholder('tenant, node').fill(`${tenant.id} fs-red-1`);
    await page.locator('.rows tbody tr', { hasText: 'lightest' }).first().waitFor();
    const rows = page.locator('.rows tbody tr');
    await eventually(
      async () => (await rows.count()) === calls.outcomes.length / REAL,
      'all decisions for the node are found',
    );
    await picture('decisions-1440');
  });

  it('fits a phone: nothing is wider than the screen', async () => {
    const phone = await open(390);
    await eventually(
      async () => (await phone.locator('.tiles .tile').count()) === NODES,
      'all nodes are shown',
    );
    for (const [name, hash] of [
      ['map', '#/'],
      ['node', '#/node/fs-red-1'],
      ['decisions', '#/decisions'],
    ] as const) {
      await phone.evaluate(`location.assign('${hash}')`);
      await phone
        .locator({ map: '.tile', node: '.sessions a', decisions: '.rows tbody tr' }[name])
        .first()
        .waitFor();
      const width = await phone.evaluate('document.documentElement.scrollWidth');
      expect([name, width]).toEqual([name, 390]);
      await picture(`${name}-390`, phone);
    }
  });
});

import { join } from 'node:path';
import { alerts, boards, FILES, type Panel } from '@callmesh/grafana';
import { eventually, ROOT } from '@callmesh/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prometheus } from '../support/prometheus.ts';
import { documented } from './registry.ts';
import { BusyMesh } from './stage.ts';

/** Long enough for two scrapes on a machine that is busy. */
const WINDOW = '10s';

let stage: BusyMesh;
let prometheus: Prometheus;
beforeAll(async () => {
  stage = await BusyMesh.start();
  prometheus = await Prometheus.start({
    targets: stage.targets,
    rules: [join(ROOT, FILES, 'alerts.yaml')],
  });
}, 120_000);
afterAll(async () => {
  await prometheus?.stop();
  await stage?.stop();
});

/** As Grafana sends it, with every choice at "All". */
const filled = (expr: string) =>
  expr.replaceAll(/\$__(rate_interval|range)\b/g, WINDOW).replaceAll(/\$[a-z]+\b/g, '.*');

describe.each(boards.map((board) => [board.title, board] as const))('%s', (_, board) => {
  const panels = board.rows.flatMap((row) => row.panels);

  it.each(panels.map((panel): [string, Panel] => [panel.title, panel]))('answers: %s', async (_, panel) => {
    for (const { expr } of panel.queries)
      await eventually(async () => (await prometheus.ask(filled(expr))).length > 0, `an answer to ${expr}`);
  });

  it('asks one question per panel, each once', () => {
    const titles = panels.map(({ title }) => title);
    expect(titles.filter((title) => !title.endsWith('?'))).toEqual([]);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it.each((board.variables ?? []).map((variable) => [variable.name, variable] as const))(
    'has something to choose from: %s',
    async (name, { metric, of = name }) => {
      const found = await prometheus.ask(`count by (${of}) (${filled(metric)})`);
      expect(found.length).toBeGreaterThan(0);
    },
  );
});

describe('alerts', () => {
  it.each(alerts.map(({ name, expr }) => [name, expr]))('%s can be asked', async (_, expr) => {
    await prometheus.ask(expr!);
  });

  it('are silent while all is well', async () => {
    expect((await prometheus.alerts()).filter(({ state }) => state === 'firing')).toEqual([]);
  });
});

describe('metrics', () => {
  const registry = documented();

  it('are all in docs/metrics.md: what is served', async () => {
    const served = new Set<string>();
    for (const target of stage.targets.callmesh!)
      for (const [name, type] of await typesAt(target)) served.add(`${name} ${type}`);
    const known = new Set([...registry].map(([name, { type }]) => `${name} ${type}`));
    expect([...served].filter((one) => !known.has(one))).toEqual([]);
  });

  it('have the labels docs/metrics.md says, and no others', async () => {
    const common = ['__name__', 'instance', 'job', 'le', 'service_name', 'service_instance_id'];
    const wrong: string[] = [];
    for (const { metric } of await prometheus.ask('{job="callmesh", __name__!~"scrape_.*|up|target_info"}')) {
      const name = metric.__name__!.replace(/_(bucket|sum|count)$/, '');
      const labels = registry.get(name)?.labels ?? registry.get(metric.__name__!)?.labels ?? [];
      for (const label of Object.keys(metric))
        if (!common.includes(label) && !labels.includes(label)) wrong.push(`${name}{${label}}`);
    }
    expect([...new Set(wrong)]).toEqual([]);
  });

  it('have no label whose value is of one call, number or agent', async () => {
    const values = new Set(
      (await prometheus.ask('{job=~"callmesh|kamailio"}')).flatMap(({ metric }) => Object.values(metric)),
    );
    for (const value of values) expect(value).not.toMatch(/^\+?\d{7,}$|@|^[0-9a-f]{16}$/);
  });
});

describe('a node that is killed', () => {
  it('makes its alert fire', async () => {
    const { server } = stage.world.mesh.node('fs-red-2');
    await server.kill();
    const fired = await eventually(
      async () => {
        const all = await prometheus.alerts();
        return all.find(({ state, labels }) => state === 'firing' && labels.alertname === 'CallmeshNodeDown');
      },
      'CallmeshNodeDown fires',
      25_000,
    );
    expect(fired.labels).toMatchObject({ node: 'fs-red-2', role: 'media', group: 'red' });
  });
});

async function typesAt(target: string): Promise<[string, string][]> {
  const text = await (await fetch(`http://${target}/metrics`)).text();
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]);
}

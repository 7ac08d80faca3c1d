import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, kamailioModules, ROOT } from '@callmesh/local';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { examples, type Manifest, named, render } from './chart.ts';
import { withHelm } from './with-helm.ts';

withHelm('the doors of chart and compose', () => {
  const folder = mkdtempSync(join(tmpdir(), 'callmesh-doors-'));
  const authority = new Authority(join(folder, 'tls'));
  const doors: (readonly [example: string, name: string, data: Record<string, string>])[] = [];

  beforeAll(async () => {
    authority.issue('door');
    for (const example of examples) {
      const manifests = await render(example);
      const edges = manifests.filter(
        ({ kind, metadata, spec }: Manifest) =>
          kind !== 'NetworkPolicy' &&
          spec?.template &&
          metadata.labels?.['app.kubernetes.io/component'] === 'edge',
      );
      for (const { metadata } of edges)
        doors.push([example, metadata.name, named(manifests, 'ConfigMap', metadata.name).data]);
    }
    for (const door of ['kama-pstn', 'kama-wss'])
      doors.push([
        'compose',
        door,
        { 'edge.cfg': readFileSync(join(ROOT, `deploy/compose/config/${door}.cfg`), 'utf8') },
      ]);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are taken by Kamailio as they are', () => {
    expect(doors).toHaveLength(7);
    for (const [example, name, data] of doors) {
      const run = join(folder, example, name);
      mkdirSync(join(run, 'rpc'), { recursive: true, mode: 0o700 });
      for (const list of ['dispatcher.list', 'address.list']) writeFileSync(join(run, list), '');
      const environment = {
        POD_NAME: `${name}-0`,
        POD_IP: '127.0.0.1',
        CALLMESH_TOKEN: 'token',
        EDGE_SECRET: 'secret',
      };
      const file = data['edge.cfg']!.replace(
        /\$\{(\w+)\}/g,
        (_, variable: keyof typeof environment) => environment[variable],
      )
        // Names of relays are looked up when Kamailio starts, which it does not do here.
        .replace(/^#!define RTPENGINE.*$/gm, '')
        .replaceAll('/run/callmesh', run)
        .replaceAll('/opt/callmesh/kamailio', join(ROOT, 'kamailio'))
        .replaceAll('/etc/callmesh/edge/tls.cfg', join(run, 'tls.cfg'));
      writeFileSync(join(run, 'edge.cfg'), file);
      const tls = (data['tls.cfg'] ?? '')
        .replaceAll('/etc/callmesh/door-tls/tls.crt', authority.file('door.pem'))
        .replaceAll('/etc/callmesh/door-tls/tls.key', authority.file('door.key'));
      writeFileSync(join(run, 'tls.cfg'), tls);
      expect(check(join(run, 'edge.cfg')), `${example}: ${name}`).toContain('config file ok');
    }
  });
});

/** What `kamailio -c` says. */
function check(file: string): string {
  const modules = `${kamailioModules}:${globSync('/usr/lib/*/kamailio/modules')[0]}`;
  try {
    return execFileSync('sh', ['-c', 'kamailio -c -f "$0" -L "$1" 2>&1', file, modules], {
      encoding: 'utf8',
    });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alerts, FILES, generated } from '@callmesh/grafana';
import { ROOT } from '@callmesh/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Case, cases } from './alert-cases.ts';

const RULES = join(ROOT, FILES, 'alerts.yaml');
const OPERATIONS = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
interface Rule {
  readonly alert: string;
  readonly labels: Record<string, string>;
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}
const rules = new Map<string, Rule>(
  parse(readFileSync(RULES, 'utf8')).groups[0].rules.map((rule: Rule) => [rule.alert, rule]),
);

describe('what is generated is current', () => {
  it.each([...generated()])('%s', (path, text) => {
    expect(readFileSync(join(ROOT, FILES, path), 'utf8'), 'run npm run generate').toBe(text);
  });
});

describe('an alert', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'alerts-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('of each name has a case, and each case an alert', () => {
    expect(Object.keys(cases).sort()).toEqual(alerts.map(({ name }) => name).sort());
  });

  it.each(Object.entries(cases))('%s fires when it should, and not otherwise', (name, one) => {
    const file = join(dir, `${name}.yaml`);
    writeFileSync(file, stringify(suite(name, one)));
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toContain('SUCCESS');
    expect(status).toBe(0);
  });

  it.each(alerts.map(({ name }) => name))('%s has its runbook, where it says', (name) => {
    const { runbook_url } = rules.get(name)!.annotations;
    expect(runbook_url).toMatch(new RegExp(`/docs/operations\\.md#${name.toLowerCase()}$`));
    expect(OPERATIONS).toMatch(new RegExp(`^#### ${name}$`, 'm'));
  });

  it('is what every runbook is for', () => {
    const runbooks = [...OPERATIONS.matchAll(/^#### (Callmesh\w+)$/gm)].map(([, name]) => name);
    expect(runbooks.sort()).toEqual(alerts.map(({ name }) => name).sort());
  });
});

/** Tests of promtool: with one set of series it fires and says so, with the other it is silent. */
function suite(name: string, { series, quiet, at, labels, summary }: Case): unknown {
  const { labels: own, annotations } = rules.get(name)!;
  const input = (of: Case['series']) => Object.entries(of).map(([series, values]) => ({ series, values }));
  const fires = {
    exp_labels: { ...labels, ...own },
    exp_annotations: { summary, runbook_url: annotations.runbook_url },
  };
  const test = (of: Case['series'], expected: unknown[]) => ({
    interval: '1m',
    input_series: input(of),
    alert_rule_test: [{ eval_time: at, alertname: name, exp_alerts: expected }],
  });
  return { rule_files: [RULES], evaluation_interval: '30s', tests: [test(series, [fires]), test(quiet, [])] };
}

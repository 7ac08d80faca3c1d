import { stringify } from 'yaml';
import { ruleFile } from './alerts.ts';
import { boards } from './dashboards/index.ts';
import { render } from './render.ts';

export { alerts } from './alerts.ts';
export { boards } from './dashboards/index.ts';
export type { Board, Panel, Query } from './model.ts';

/** Where the chart and Grafana take them from, below the root of the repository. */
export const FILES = 'deploy/helm/callmesh/files';

/** Every file that is made from here: its path below FILES, and its text. */
export function generated(): Map<string, string> {
  const files = new Map<string, string>();
  for (const board of boards)
    files.set(`dashboards/${board.uid}.json`, `${JSON.stringify(render(board), null, 2)}\n`);
  files.set('alerts.yaml', `# Made from deploy/grafana by \`npm run generate\`.\n${stringify(ruleFile())}`);
  return files;
}

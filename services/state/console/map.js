import { h, hold, say, set } from './dom.js';
import { drawFlows } from './flows.js';
import { mesh } from './store.js';
import { count, isDoor, nodeHref, ofMax, rate, SIGNS, share, since } from './words.js';

const ATTENTION = 6;
const ROLES = ['kama-wss', 'kama-pstn', 'router', 'media', 'tandem'];

/** Doors on the left, groups with their nodes on the right, sessions flowing between. */
export function mapPage() {
  const figures = {
    up: figure('nodes up'),
    legs: figure('live legs'),
    cps: figure('new sessions'),
    refused: figure('refused'),
  };
  const attention = h('ul', { class: 'attention' });
  const lines = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  lines.setAttribute('class', 'flows');
  lines.setAttribute('aria-hidden', 'true');
  const doors = h('div', { class: 'doors' });
  const groups = h('div', { class: 'groups' });
  const map = h('div', { class: 'map' }, lines, doors, groups);
  const kept = { doors: new Map(), groups: new Map() };
  const element = h(
    'div',
    { class: 'map-page' },
    h('h1', { class: 'unseen' }, 'Map'),
    h(
      'dl',
      { class: 'figures' },
      Object.values(figures).map(({ element }) => element),
    ),
    attention,
    h('p', { class: 'legend' }, ...legend()),
    map,
  );
  const resized = new ResizeObserver(() => drawFlows(lines, map, doors, groups));
  resized.observe(map);

  function update() {
    const nodes = [...mesh.nodes.values()].sort(byRole);
    tell(figures, nodes);
    hold(attention, worries(nodes));
    hold(
      doors,
      nodes.filter(isDoor).map((node) => doorOf(kept.doors, node)),
    );
    const inside = Map.groupBy(
      nodes.filter((node) => !isDoor(node)),
      ({ role, group }) => `${role} ${group}`,
    );
    hold(
      groups,
      [...inside.values()].map((members) => groupOf(kept.groups, members)),
    );
    drawFlows(lines, map, doors, groups);
  }
  return { title: 'Map', element, update, close: () => resized.disconnect() };
}

function byRole(a, b) {
  return (
    ROLES.indexOf(a.role) - ROLES.indexOf(b.role) ||
    a.group.localeCompare(b.group) ||
    a.id.localeCompare(b.id, 'en', { numeric: true })
  );
}

function figure(name) {
  const value = h('dd', {}, '\u2013');
  return { value, element: h('div', {}, h('dt', {}, name), value) };
}

function tell({ up, legs, cps, refused }, nodes) {
  const well = nodes.filter(({ status }) => status === 'up').length;
  say(up.value, mesh.ready ? `${count(well)} of ${count(nodes.length)}` : '\u2013');
  set(up.element, 'class', well < nodes.length ? 'worse' : undefined);
  say(
    legs.value,
    count(nodes.filter((node) => !isDoor(node)).reduce((sum, { sessions }) => sum + sessions, 0)),
  );
  const sum = (flows) => flows.reduce((total, { perSecond }) => total + perSecond, 0);
  say(cps.value, rate(sum(mesh.flows.filter(({ group }) => group))));
  const no = sum(mesh.flows.filter(({ group }) => !group));
  say(refused.value, rate(no));
  set(refused.element, 'class', no > 0 ? 'worse' : undefined);
}

/** What an operator should look at, worst first. */
function worries(nodes) {
  const order = ['down', 'suspect', 'draining', 'drained'];
  const found = nodes
    .filter(({ status }) => status !== 'up')
    .sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const lines = found
    .slice(0, ATTENTION)
    .map((node) =>
      h(
        'li',
        {},
        h('a', { href: nodeHref(node.id) }, badge(node.status), h('b', {}, node.id)),
        h('span', {}, ` ${node.reason}, for ${since(node.since)}`),
      ),
    );
  if (found.length > ATTENTION) lines.push(h('li', {}, `and ${found.length - ATTENTION} more`));
  return lines;
}

export function badge(status) {
  return h('span', { class: 'badge', 'data-status': status }, `${SIGNS[status] ?? ''} ${status}`.trim());
}

function legend() {
  return ['up', 'suspect', 'draining', 'drained', 'down'].map((status) =>
    h('span', {}, h('i', { class: 'tile', 'data-status': status }, h('span', {}, SIGNS[status])), status),
  );
}

function doorOf(kept, node) {
  let door = kept.get(node.id);
  if (!door) {
    const parts = {
      state: h('span', {}),
      flow: h('p', { class: 'flow' }),
      refused: h('p', { class: 'refused' }),
    };
    const name = h('a', { href: nodeHref(node.id) }, node.id);
    door = {
      ...parts,
      element: h(
        'section',
        { class: 'door', 'data-id': node.id },
        h('h2', {}, name, parts.state),
        parts.flow,
        parts.refused,
      ),
    };
    kept.set(node.id, door);
  }
  set(door.element, 'data-status', node.status);
  if (door.status !== node.status)
    door.state.replaceChildren(...(node.status === 'up' ? [] : [badge(node.status)]));
  door.status = node.status;
  const from = mesh.flows.filter((flow) => flow.from === node.id);
  const total = from.filter(({ group }) => group).reduce((sum, { perSecond }) => sum + perSecond, 0);
  say(door.flow, `${rate(total)} to ${from.filter(({ group }) => group).length} groups`);
  const no = from.find(({ group }) => !group);
  say(door.refused, no ? `${rate(no.perSecond)} refused` : '');
  return door.element;
}

function groupOf(kept, members) {
  const [{ role, group: id }] = members;
  const key = `${role} ${id}`;
  let group = kept.get(key);
  if (!group) {
    group = {
      tiles: new Map(),
      load: h('p', { class: 'load' }),
      bar: h('span', {}),
      grid: h('div', { class: 'tiles' }),
      in: h('p', { class: 'flow' }),
    };
    const head = h(
      'div',
      {},
      h('h2', {}, id || '(no group)', h('small', {}, role)),
      group.load,
      h('div', { class: 'bar' }, group.bar),
      group.in,
    );
    group.element = h(
      'section',
      { class: 'group', 'data-id': id, 'aria-label': `group ${id}` },
      head,
      group.grid,
    );
    group.grid.addEventListener('keydown', (event) => step(group.grid, event));
    kept.set(key, group);
  }
  const sum = { sessions: 0, max: 0 };
  for (const node of members) {
    if (node.status === 'down') continue;
    sum.sessions += node.sessions;
    sum.max += node.max;
  }
  say(group.load, `${ofMax(sum)} legs on ${members.length} ${members.length === 1 ? 'node' : 'nodes'}`);
  group.bar.style.inlineSize = `${share(sum) * 100}%`;
  group.bar.classList.toggle('full', share(sum) > 0.9);
  hold(
    group.grid,
    members.map((node) => tileOf(group.tiles, node)),
  );
  if (!group.grid.querySelector('[tabindex="0"]'))
    group.grid.firstElementChild?.setAttribute('tabindex', '0');
  say(group.in, sources(id));
  return group.element;
}

/** Who sends sessions to the group; nodes are named by their own group. */
function sources(id) {
  const rates = new Map();
  for (const { from, group, perSecond } of mesh.flows) {
    if (group !== id) continue;
    const node = mesh.nodes.get(from);
    const name = node && !isDoor(node) ? node.group : from;
    rates.set(name, (rates.get(name) ?? 0) + perSecond);
  }
  return [...rates].map(([name, perSecond]) => `${rate(perSecond)} from ${name}`).join(', ');
}

function tileOf(kept, node) {
  let tile = kept.get(node.id);
  if (!tile) {
    const sign = h('span', {});
    tile = h('a', { class: 'tile', href: nodeHref(node.id), tabindex: '-1', 'data-id': node.id }, sign);
    kept.set(node.id, tile);
  }
  set(tile, 'data-status', node.status);
  say(tile.firstElementChild, SIGNS[node.status] ?? '');
  const label = `${node.id}: ${node.status}, ${ofMax(node)} legs`;
  set(tile, 'aria-label', label);
  set(tile, 'title', label);
  tile.style.setProperty('--share', share(node));
  return tile;
}

/** Arrow keys go from node to node, so that Tab goes from group to group. */
function step(grid, event) {
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow(grid), ArrowUp: -perRow(grid) }[event.key];
  const tiles = [...grid.children];
  const now = tiles.indexOf(document.activeElement);
  const edge = { Home: 0, End: tiles.length - 1 }[event.key];
  if ((by === undefined && edge === undefined) || now < 0) return;
  event.preventDefault();
  const next = edge ?? Math.max(0, Math.min(tiles.length - 1, now + by));
  tiles[now].tabIndex = -1;
  tiles[next].tabIndex = 0;
  tiles[next].focus();
}

function perRow(grid) {
  const tiles = [...grid.children];
  const below = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
  return below < 0 ? tiles.length : below;
}

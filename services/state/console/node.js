import { decisionTable, rowOf } from './decisions.js';
import { h, say } from './dom.js';
import { badge } from './map.js';
import { keyOf, mesh } from './store.js';
import { clock, count, moment, ofMax, rate, sessionHref, share, since } from './words.js';

const DECISIONS = 20;
const SAMPLES = 120;
const SVG = 'http://www.w3.org/2000/svg';

/** One node: how it is, what speaks against it, what lives on it. */
export function nodePage(id) {
  const state = h('span', {});
  const facts = h('dl', { class: 'facts' });
  const bar = h('span', {});
  const load = h('p', { class: 'load' });
  const evidence = h('div', {});
  const sessions = h('div', {}, h('p', { class: 'none' }, 'asking'));
  const again = h('button', { type: 'button' }, 'Ask again');
  const decisions = h('tbody', {});
  const course = courseOf();
  const element = h(
    'article',
    {},
    h('p', { class: 'back' }, h('a', { href: '#/' }, '\u2190 Map')),
    h('div', { class: 'head' }, h('h1', {}, id), state),
    h(
      'section',
      { 'aria-label': 'load' },
      load,
      h('div', { class: 'bar' }, bar),
      h('figure', {}, course.element, h('figcaption', {}, 'legs, the last two minutes at most')),
    ),
    facts,
    evidence,
    h('div', { class: 'head' }, h('h2', {}, 'Sessions on it'), again),
    sessions,
    h('h2', {}, 'Decisions for it'),
    decisionTable(decisions),
  );
  let drawn = '';
  let older = [];

  function update() {
    const node = mesh.nodes.get(id);
    if (!node) return say(load, mesh.ready ? 'There is no such node in the table.' : '');
    say(load, `${ofMax(node)} legs, ${rate(node.cps)} new`);
    bar.style.inlineSize = `${share(node) * 100}%`;
    bar.classList.toggle('full', share(node) > 0.9);
    course.add(node);
    const told = JSON.stringify([node.status, node.reason, node.desired, node.evidence]);
    if (told !== drawn) {
      state.replaceChildren(badge(node.status));
      evidence.replaceChildren(...against(node));
    }
    drawn = told;
    facts.replaceChildren(...factsOf(node));
    const live = mesh.decisions.filter(({ nodeId }) => nodeId === id);
    const known = new Set(live.map(keyOf));
    const about = [...live, ...older.filter((one) => !known.has(keyOf(one)))].slice(0, DECISIONS);
    if (about[0] !== decisions.first) decisions.replaceChildren(...about.map(rowOf));
    decisions.first = about[0];
  }
  const ask = async () => sessions.replaceChildren(...(await sessionsOn(id)));
  again.addEventListener('click', ask);
  void ask();
  void decisionsFor(id).then((found) => {
    older = found;
    update();
  });
  return { title: id, element, update, back: '#/' };
}

function factsOf(node) {
  const facts = {
    reason: node.reason,
    since: `${moment(node.since)} (${since(node.since)})`,
    wanted: node.desired,
    role: node.role,
    group: node.group || '\u2013',
    zone: node.zone || '\u2013',
    'idle cpu': node.idleCpu ? `${Math.round(node.idleCpu)} %` : '\u2013',
    'last report': clock(node.loadAt),
    SIP: node.sip,
    version: node.version || '\u2013',
    epoch: node.epoch,
  };
  return Object.entries(facts).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)));
}

function against({ evidence }) {
  if (evidence.length === 0) return [];
  return [
    h('h2', {}, 'What speaks against it'),
    h(
      'ul',
      {},
      evidence.map(({ kind, detail, since: at, strong }) =>
        h('li', {}, h('b', {}, kind), ` since ${clock(at)}, ${strong ? 'strong' : 'weak'}: ${detail}`),
      ),
    ),
  ];
}

async function sessionsOn(id) {
  const answer = await fetch(`/api/nodes/${encodeURIComponent(id)}`).catch(() => undefined);
  if (!answer?.ok) return [h('p', { class: 'none' }, 'session-cache does not answer.')];
  const { total, sessions } = await answer.json();
  if (total === 0) return [h('p', { class: 'none' }, `None at ${clock(new Date())}.`)];
  const said = sessions.length < total ? `the first ${sessions.length} of ${count(total)}` : count(total);
  return [
    h('p', { class: 'none' }, `${said} at ${clock(new Date())}`),
    h(
      'ul',
      { class: 'sessions' },
      sessions.map((one) =>
        h(
          'li',
          {},
          h('a', { href: sessionHref(one) }, one.session),
          ` ${[one.tenant, one.function].filter(Boolean).join(', ')}, for ${since(one.since)}`,
        ),
      ),
    ),
  ];
}

async function decisionsFor(id) {
  const answer = await fetch(`/api/decisions/${encodeURIComponent(id)}`).catch(() => undefined);
  const found = answer?.ok ? await answer.json() : [];
  return found.filter(({ nodeId }) => nodeId === id);
}

/** Its legs of the last two minutes, since the page was opened. */
function courseOf() {
  const line = document.createElementNS(SVG, 'polyline');
  const element = document.createElementNS(SVG, 'svg');
  element.setAttribute('class', 'course');
  element.setAttribute('viewBox', `0 0 ${SAMPLES} 40`);
  element.setAttribute('preserveAspectRatio', 'none');
  element.setAttribute('aria-hidden', 'true');
  element.append(line);
  const samples = [];
  let second = 0;
  return {
    element,
    add({ sessions, max }) {
      const now = Math.floor(Date.now() / 1000);
      if (now === second) return;
      second = now;
      samples.push(sessions);
      if (samples.length > SAMPLES) samples.shift();
      const top = Math.max(max ? Math.min(max, 2 * Math.max(...samples)) : 0, ...samples, 1);
      const at = (n, index) => `${SAMPLES - samples.length + index},${(39 - (38 * n) / top).toFixed(1)}`;
      line.setAttribute('points', samples.map(at).join(' '));
    },
  };
}

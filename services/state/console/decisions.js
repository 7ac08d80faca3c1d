import { h, say } from './dom.js';
import { keyOf, mesh } from './store.js';
import { clock, nodeHref, sessionHref } from './words.js';

const SHOWN = 60;

/** What policy decided lately, and why. */
export function decisionsPage() {
  const rows = h('tbody', {});
  const words = h('input', {
    type: 'search',
    placeholder: 'tenant, node, door, reason',
    'aria-label': 'Only decisions with these words',
  });
  const refused = h('input', { type: 'checkbox' });
  const pause = h('button', { type: 'button', 'aria-pressed': 'false' }, 'Pause');
  const none = h('p', { class: 'none' });
  let shown = [];
  let older = [];
  let paused = false;

  function update() {
    if (paused) return;
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const live = mesh.decisions.filter(
      (one) => (!refused.checked || one.refusedCode) && wanted.every((word) => textOf(one).includes(word)),
    );
    const known = new Set(live.map(keyOf));
    const next = [...live, ...older.filter((one) => !known.has(keyOf(one)))].slice(0, SHOWN);
    say(none, next.length ? '' : 'No decision yet.');
    if (next.length === shown.length && next.every((one, at) => one === shown[at])) return;
    shown = next;
    rows.replaceChildren(...next.map(rowOf));
  }
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', paused);
    pause.textContent = paused ? 'Go on' : 'Pause';
    update();
  });
  /** What the page has not kept, state may. */
  async function ask() {
    const wanted = [...words.value.split(/\s+/), refused.checked && 'refused'].filter(Boolean);
    const answer = await fetch(`/api/decisions/${wanted.map(encodeURIComponent).join('+')}`).catch(
      () => undefined,
    );
    older = answer?.ok ? await answer.json() : [];
    update();
  }
  let timer;
  for (const field of [words, refused])
    field.addEventListener('input', () => {
      older = [];
      update();
      clearTimeout(timer);
      timer = setTimeout(ask, 300);
    });
  const element = h(
    'div',
    {},
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Decisions'),
      h('div', { class: 'tools' }, words, h('label', {}, refused, 'only refused'), pause),
    ),
    decisionTable(rows),
    none,
  );
  return { title: 'Decisions', element, update, back: '#/' };
}

export function decisionTable(rows) {
  const heads = ['time', 'tenant', 'door', 'group', 'node', 'why'].map((name) =>
    h('th', { scope: 'col' }, name),
  );
  return h('table', { class: 'rows' }, h('thead', {}, h('tr', {}, heads)), rows);
}

const textOf = (one) =>
  `${one.tenantId} ${one.edgeId} ${one.groupId} ${one.nodeId} ${one.reason} ${one.refusedCode} ${one.callId} ${one.sessionId}`.toLowerCase();

export function rowOf(one) {
  const story = sessionHref({ session: one.sessionId, callId: one.callId, tenant: one.tenantId });
  const cell = (name, ...content) => h('td', { 'data-name': name }, ...content);
  return h(
    'tr',
    { class: one.refusedCode ? 'refused' : undefined },
    cell('time', h('a', { href: story, title: 'the story of this session' }, clock(one.at))),
    cell('tenant', one.tenantId || '\u2013'),
    cell('door', one.edgeId || '\u2013'),
    cell('group', one.groupId || '\u2013'),
    cell('node', one.nodeId ? h('a', { href: nodeHref(one.nodeId) }, one.nodeId) : '\u2013'),
    cell('why', one.refusedCode ? h('b', {}, `\u2715 ${one.refusedCode} `) : '', one.reason),
  );
}

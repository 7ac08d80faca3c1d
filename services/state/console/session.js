import { h } from './dom.js';
import { mesh } from './store.js';
import { moment, nodeHref } from './words.js';

const STATES = { live: 'lives', ended: 'ended', refused: 'refused', gone: 'gone' };

/** The story of one session: what was decided, where it lived, how it ended. */
export function sessionPage(key, query) {
  const tenant = query.get('tenant') ?? '';
  const body = h('div', {}, h('p', { class: 'none' }, 'asking'));
  const again = h('button', { type: 'button' }, 'Ask again');
  const element = h(
    'article',
    {},
    h('p', { class: 'back' }, h('a', { href: '#/' }, '\u2190 Map')),
    h('div', { class: 'head' }, h('h1', { class: 'key' }, key), again),
    body,
  );
  let told = 0;
  async function ask() {
    const asked = tenant ? `?tenant=${encodeURIComponent(tenant)}` : '';
    const answer = await fetch(`/api/sessions/${encodeURIComponent(key)}${asked}`).catch(() => undefined);
    const story = await answer?.json().catch(() => undefined);
    body.replaceChildren(...(answer?.ok ? tell(story) : nothing(story)));
  }
  /** A decision about this very session is news. */
  function update() {
    const about = mesh.decisions.filter(
      ({ sessionId, callId }) => sessionId === key || callId === key,
    ).length;
    if (about > told && told > 0) void ask();
    told = about;
  }
  again.addEventListener('click', ask);
  void ask();
  return { title: `Session ${key}`, element, update, back: '#/' };
}

function nothing(error) {
  const hint = 'A session that has ended is found by its session id, together with its tenant.';
  return [h('p', { class: 'none' }, error?.message ?? 'state does not answer', '. ', hint)];
}

function tell(story) {
  const node = story.node && h('a', { href: nodeHref(story.node) }, story.node);
  const facts = {
    state: h(
      'span',
      { class: 'badge', 'data-status': { live: 'up', refused: 'down' }[story.state] ?? 'drained' },
      STATES[story.state],
    ),
    [story.state === 'live' ? 'lives on' : 'lived on']: node,
    tenant: story.tenant,
    function: story.function,
    group: story.group,
    caller: story.caller,
    callee: story.callee,
    outcome: story.outcome,
    session: story.session,
    'Call-ID': story.callId,
  };
  return [
    h(
      'dl',
      { class: 'facts' },
      Object.entries(facts)
        .filter(([, value]) => value)
        .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    ),
    story.missing.length > 0 &&
      h(
        'p',
        { class: 'none', role: 'alert' },
        `${story.missing.join(' and ')} did not answer: something may be missing here.`,
      ),
    h('h2', {}, 'What happened'),
    h('ol', { class: 'story' }, story.steps.map(step)),
  ].filter(Boolean);
}

function step({ at, what, detail, node, tone }) {
  return h(
    'li',
    { 'data-tone': tone },
    h('time', at ? { datetime: at } : {}, at ? moment(at) : 'now'),
    h('b', {}, tone === 'bad' ? `\u2715 ${what}` : what),
    node && h('a', { href: nodeHref(node) }, node),
    h('p', {}, detail),
  );
}

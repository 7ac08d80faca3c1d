/** A status beside its colour: a sign that is told apart without it. */
export const SIGNS = { up: '', suspect: '?', draining: '\u2193', drained: '\u2013', down: '\u2715' };

const COUNT = new Intl.NumberFormat('en');
const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export const count = (n) => COUNT.format(n);

/** "12/s", "0.4/s". */
export function rate(perSecond) {
  return `${perSecond >= 10 ? Math.round(perSecond) : Number(perSecond.toFixed(1))}/s`;
}

export function clock(at) {
  return at ? CLOCK.format(new Date(at)) : '\u2013';
}

export function moment(at) {
  return at ? DAY.format(new Date(at)) : '\u2013';
}

/** "3 m 12 s" since then. */
export function since(at, now = Date.now()) {
  if (!at) return '\u2013';
  const s = Math.max(0, Math.round((now - new Date(at).getTime()) / 1000));
  const parts = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor(s / 3_600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'm'],
    [s % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return (first < 0 ? parts.slice(3) : parts.slice(first, first + 2))
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** How full, 0-1; a node without a limit is never full. */
export function share({ sessions, max }) {
  return max ? Math.min(1, sessions / max) : 0;
}

export function ofMax({ sessions, max }) {
  return max ? `${count(sessions)} of ${count(max)}` : count(sessions);
}

export const isDoor = ({ role }) => role.startsWith('kama-');

export const nodeHref = (id) => `#/node/${encodeURIComponent(id)}`;

export const sessionHref = ({ session, callId, tenant }) =>
  `#/session/${encodeURIComponent(session || callId)}${tenant ? `?tenant=${encodeURIComponent(tenant)}` : ''}`;

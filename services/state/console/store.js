/** All the page knows: what the stream told. `nodes` by id; decisions newest first. */
export const mesh = { nodes: new Map(), flows: [], decisions: [], silent: [], ready: false };

const KEPT = 500;
/** Without a word for so long the line is broken, milliseconds; the server speaks every second. */
const QUIET_MS = 4_000;

const listeners = new Set();
let asked = false;

/** Calls `listener` after changes, at most once a frame, until what it returns is called. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const listener of listeners) listener();
  });
}

const takes = {
  nodes({ all, put, removed }) {
    if (all) mesh.nodes.clear();
    for (const node of put) mesh.nodes.set(node.id, node);
    for (const id of removed) mesh.nodes.delete(id);
    mesh.ready = true;
  },
  flows(flows) {
    mesh.flows = flows;
  },
  decided(decisions) {
    const known = new Set(mesh.decisions.map(keyOf));
    mesh.decisions = [...decisions.filter((one) => !known.has(keyOf(one))), ...mesh.decisions].slice(0, KEPT);
  },
  sources(silent) {
    mesh.silent = silent;
  },
  moved() {},
};

export const keyOf = ({ at, instance, callId }) => `${at} ${instance} ${callId}`;

/** Follows the stream for ever; `onLine` hears whether it is live. */
export function follow(onLine) {
  let heard = Date.now();
  let source;
  const open = () => {
    source?.close();
    source = new EventSource('/events');
    for (const [name, take] of Object.entries(takes))
      source.addEventListener(name, ({ data }) => {
        heard = Date.now();
        take(JSON.parse(data));
        onLine(true);
        changed();
      });
    source.addEventListener('error', () => {
      onLine(false);
      // The browser tries again by itself, but not after an answer such as 401.
      if (source.readyState === EventSource.CLOSED) void again();
    });
  };
  const again = async () => {
    const me = await fetch('/api/me').catch(() => undefined);
    if (me?.status === 401) location.assign('/sign-in');
    else setTimeout(open, 1_000);
  };
  setInterval(() => {
    if (Date.now() - heard > QUIET_MS) onLine(false);
  }, 1_000);
  open();
}

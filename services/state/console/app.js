import { decisionsPage } from './decisions.js';
import { mapPage } from './map.js';
import { nodePage } from './node.js';
import { sessionPage } from './session.js';
import { follow, mesh, watch } from './store.js';
import { nodeHref, sessionHref } from './words.js';

const main = document.getElementById('main');
const line = document.getElementById('line');
const silent = document.getElementById('silent');

/** What the part after # names; each page gives its element, and what to do when the mesh changed and when it closes. */
const PAGES = { '': mapPage, decisions: decisionsPage, node: nodePage, session: sessionPage };
let page;

function show() {
  // A link inside the page, such as "skip", is no page of its own.
  if (location.hash && !location.hash.startsWith('#/')) return;
  const [path, query = ''] = location.hash.slice(2).split('?');
  const [name = '', key = ''] = path.split('/').map(decodeURIComponent);
  page?.close?.();
  page = (PAGES[name] ?? mapPage)(key, new URLSearchParams(query));
  main.replaceChildren(page.element);
  document.title = `${page.title} \u00b7 callmesh`;
  for (const link of document.querySelectorAll('nav a'))
    link.toggleAttribute('aria-current', link.hash === (name ? `#/${name}` : '#/'));
  page.update?.();
}

function onLine(live) {
  if (line.dataset.state === (live ? 'live' : 'lost')) return;
  line.dataset.state = live ? 'live' : 'lost';
  line.textContent = live ? 'live' : 'not live: trying again';
}

function update() {
  silent.hidden = mesh.silent.length === 0;
  const said = mesh.silent.map(({ reason }) => reason).join('; ');
  if (silent.textContent !== said) silent.textContent = said;
  page?.update?.();
}

document.getElementById('find').addEventListener('submit', (event) => {
  event.preventDefault();
  const what = new FormData(event.target).get('what').trim();
  if (!what) return;
  location.hash = mesh.nodes.has(what) ? nodeHref(what) : sessionHref({ session: what });
  event.target.reset();
});

addEventListener('hashchange', () => {
  show();
  // Who follows a link by keyboard or ear begins at the new page.
  if (location.hash.startsWith('#/')) main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener('keydown', ({ key, target }) => {
  if (key === 'Escape' && page?.back && !target.matches('input')) location.hash = page.back;
});
watch(update);
show();
follow(onLine);

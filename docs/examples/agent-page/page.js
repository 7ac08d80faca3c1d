import { Card } from './card.js';
import { Phone } from './phone.js';
import { Ring } from './ring.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const STATES = {
  out: 'Signed out',
  connecting: 'Connecting …',
  in: 'Ready',
  refused: 'Refused',
  lost: 'Not ready',
};
/** Why somebody is refused, for people. */
const WHY = {
  Forbidden: 'name or password is wrong',
  'Origin Forbidden': 'agents of this name do not work on this page',
};
/** What is said of a call, to those who listen to the page. */
const SAID = { ringing: 'rings', talking: 'connected', held: 'on hold', ended: 'ended' };

const $ = (id) => document.getElementById(id);
const phone = new Phone();
const ring = new Ring();
const cards = new Set();

/** Where the door is, and who signs in: from config.json beside the page, then from the page's own address. */
async function prefill() {
  const asked = Object.fromEntries(new URL(location.href).searchParams);
  const answer = await fetch('config.json').catch(() => undefined);
  const known = answer?.ok ? await answer.json() : {};
  for (const id of ['server', 'agent']) $(id).value ||= asked[id] ?? known[id] ?? '';
  document.querySelector('details').open = $('server').value === '';
}

function showState({ state, why }) {
  const signedIn = state !== 'out' && state !== 'refused';
  $('state').dataset.state = state;
  $('state').textContent =
    `${signedIn ? `${$('agent').value}: ` : ''}${STATES[state]}${why && ` – ${WHY[why] ?? why}`}`;
  $('sign-in').hidden = signedIn;
  for (const id of ['dial', 'calls', 'sign-out']) $(id).hidden = !signedIn;
  if (state === 'refused') $('password').focus();
  // Who has just signed in dials next.
  if (state === 'in' && document.activeElement === document.body) $('number').focus();
}

/** One call at a time is talked to: the others are held. */
function holdOthers(call) {
  for (const other of phone.calls) if (other !== call && other.state === 'talking') other.hold(true);
}

function addCall(call) {
  const card = new Card(phone, call, remove);
  cards.add(card);
  $('list').prepend(card.element);
  if (call.state === 'calling') holdOthers(call);
  let before = '';
  call.addEventListener('change', () => {
    if (call.state !== before) becomes(call);
    before = call.state;
    for (const other of cards) if (other !== card) other.show();
  });
  if (call.state === 'incoming') $('alarm').textContent = `${call.who} calls`;
  showCalls();
}

function becomes(call) {
  if (call.state === 'talking') holdOthers(call);
  if (SAID[call.state]) $('said').textContent = `${call.who} ${SAID[call.state]} ${call.why}`;
  showCalls();
}

/** Focus that was on the card goes where the next call is made. */
function remove(card) {
  const focused = card.element.contains(document.activeElement);
  cards.delete(card);
  card.element.remove();
  if (focused) $('number').focus();
  showCalls();
}

function showCalls() {
  $('none').hidden = cards.size > 0;
  const talking = phone.calls.some(({ established }) => established);
  ring.set(!talking && phone.calls.some(({ state }) => state === 'incoming'));
}

/** A key sends its tone in a call, and writes itself otherwise. */
function press(key) {
  const call = phone.calls.find(({ state }) => state === 'talking');
  if (call) call.press(key);
  else $('number').value += key;
}

for (const key of KEYS) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = key;
  button.addEventListener('click', () => press(key));
  $('pad').append(button);
}
$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  phone.signIn({ server: $('server').value, agent: $('agent').value, password: $('password').value });
  $('password').value = '';
});
$('sign-out').addEventListener('click', () => phone.signOut());
$('dial-form').addEventListener('submit', (event) => {
  event.preventDefault();
  phone.call($('number').value);
  $('number').value = '';
});
phone.addEventListener('state', ({ detail }) => showState(detail));
phone.addEventListener('call', ({ detail }) => addCall(detail));
// Who leaves the page is unregistered at once.
addEventListener('pagehide', () => phone.signOut());
await prefill();

import { Quality, verdict } from './quality.js';

const WHAT = {
  calling: 'Calling …',
  ringing: 'Ringing …',
  incoming: 'Calls you',
  talking: 'Talking',
  held: 'On hold',
  ended: 'Ended',
};
/** How long a call that ended can still be read, ms. */
const FAREWELL_MS = 5000;
const EVERY_MS = 1000;

/** A call as it is seen; `phone` places the call one asks first with, `gone` is called once nothing is seen of it. */
export class Card {
  element = document.querySelector('#card').content.firstElementChild.cloneNode(true);
  #call;
  #phone;
  #quality = new Quality();
  #timer;
  #began = 0;
  #gone;

  constructor(phone, call, gone) {
    this.#phone = phone;
    this.#call = call;
    this.#gone = gone;
    this.element.setAttribute('aria-label', call.who);
    this.#find('.who').textContent = call.who;
    this.#play(call.stream);
    this.#find('.actions').addEventListener('click', ({ target }) => this.#do(target.dataset.does));
    this.#find('[data-does=consult]').addEventListener('click', () => this.#consult());
    this.#find('.transfer').addEventListener('submit', (event) => this.#transfer(event));
    call.addEventListener('change', () => this.show());
    this.show();
  }

  get call() {
    return this.#call;
  }

  /** Shows what is true now. */
  show() {
    const { state, why, waiting, muted, established } = this.#call;
    this.element.dataset.state = state;
    if (state === 'talking' && !this.#timer) this.#start();
    this.#text();
    const shown = {
      answer: state === 'incoming',
      reject: state === 'incoming',
      mute: established,
      hold: established,
      transfer: established,
      'hang-up': !['incoming', 'ended'].includes(state),
    };
    for (const [does, yes] of Object.entries(shown)) this.#button(does).hidden = !yes;
    this.#press('mute', muted);
    this.#press('hold', state === 'held');
    this.#find('.what').classList.toggle('trouble', why !== '');
    if (waiting && established) this.#find('.what').textContent += ' – the other side holds you';
    this.#showOthers();
    if (state === 'ended') this.#end();
  }

  /** Whom this call can be connected with: it waits while we talk to them. */
  #showOthers() {
    const waits = this.#call.state === 'held';
    const others = waits ? this.#phone.calls.filter(({ state }) => state === 'talking') : [];
    this.#find('.connect').replaceChildren(
      ...others.map((other) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = `Connect with ${other.who}`;
        button.addEventListener('click', () => this.#call.connect(other));
        return button;
      }),
    );
  }

  #text() {
    const { state, why } = this.#call;
    const time = this.#began ? ` ${clock(Date.now() - this.#began)}` : '';
    this.#find('.what').textContent = `${WHAT[state]}${time}${why && `: ${why}`}`;
  }

  #do(does) {
    const { state, muted } = this.#call;
    if (does === 'answer') this.#call.answer();
    if (does === 'reject' || does === 'hang-up') this.#call.hangUp();
    if (does === 'mute') this.#call.mute(!muted);
    if (does === 'hold') this.#call.hold(state !== 'held');
    if (does === 'transfer') this.#openTransfer(this.#find('.transfer').hidden);
  }

  #play(stream) {
    const audio = Object.assign(new Audio(), { autoplay: true, srcObject: stream });
    this.element.append(audio);
  }

  #openTransfer(open) {
    this.#find('.transfer').hidden = !open;
    this.#button('transfer').setAttribute('aria-expanded', String(open));
    if (open) this.#find('.transfer input').focus();
  }

  #transfer(event) {
    event.preventDefault();
    this.#call.transfer(this.#find('.transfer input').value);
    this.#openTransfer(false);
  }

  /** Holds this call and asks; both cards then offer to connect the two. */
  #consult() {
    if (!this.#find('.transfer').reportValidity()) return;
    this.#phone.call(this.#find('.transfer input').value);
    this.#openTransfer(false);
  }

  #start() {
    this.#began = Date.now();
    this.#find('.quality').hidden = false;
    this.#timer = setInterval(() => this.#tick(), EVERY_MS);
    this.#tick();
  }

  async #tick() {
    if (this.#call.state === 'ended') return;
    const measured = await this.#quality.measure(this.#call.connection);
    const { rtt, loss, jitter } = measured;
    const word = this.#call.state === 'held' ? 'on hold' : verdict(measured);
    this.#find('.quality').dataset.verdict = word;
    const shown = { verdict: word, rtt: unit(rtt, 'ms'), loss: unit(loss, '%'), jitter: unit(jitter, 'ms') };
    for (const [of, text] of Object.entries(shown)) this.#find(`[data-of=${of}]`).textContent = text;
    if (!this.#call.why && !this.#call.waiting) this.#text();
  }

  #end() {
    clearInterval(this.#timer);
    this.#find('.transfer').hidden = true;
    this.#find('.quality').hidden = true;
    setTimeout(() => this.#gone(this), FAREWELL_MS);
  }

  #press(does, on) {
    this.#button(does).setAttribute('aria-pressed', String(on));
  }

  #button(does) {
    return this.#find(`[data-does=${does}]`);
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }
}

function unit(value, of) {
  return value === undefined ? '–' : `${value.toFixed(of === '%' ? 1 : 0)} ${of}`;
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

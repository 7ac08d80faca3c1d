import JsSIP from 'jssip';

/** Media goes to the door's relay, which is where everybody can reach it: no STUN, no TURN. */
const MEDIA = {
  mediaConstraints: { audio: true, video: false },
  pcConfig: { iceServers: [] },
};

/**
 * An agent's phone. Events: `state` (detail: one of out, connecting, in, refused, lost, and why), `call`
 * (detail: a new Call).
 */
export class Phone extends EventTarget {
  /** Calls there are, oldest first. */
  calls = [];
  #ua;
  #domain;
  #again;

  /** `agent` is name@domain, `server` the door's WebSocket. */
  signIn({ server, agent, password }) {
    this.#domain = agent.split('@')[1];
    this.#ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(server)],
      uri: `sip:${agent}`,
      password,
      user_agent: 'callmesh agent page',
      register_expires: 300,
      // The server looks after that; JsSIP would offer anew every 45 s.
      session_timers: false,
      // A door that restarts is found again soon, and says itself when it has too much to do.
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 10,
    });
    this.#listen(this.#ua);
    this.#ua.start();
  }

  /** Ends the calls and unregisters. */
  signOut() {
    clearTimeout(this.#again);
    this.#ua?.stop();
    this.#ua = undefined;
    this.#say('out');
  }

  call(number) {
    this.#ua.call(this.address(number), MEDIA);
  }

  /** A number, a colleague's extension or name, or a whole address. */
  address(number) {
    const written = number.trim().replace(/^sip:/, '');
    const bare = /^\+?[\d\s()/.-]+$/.test(written) ? written.replace(/[\s()/.-]/g, '') : written;
    return `sip:${bare.includes('@') ? bare : `${bare}@${this.#domain}`}`;
  }

  #listen(ua) {
    ua.on('connecting', () => this.#say('connecting'));
    ua.on(
      'disconnected',
      ({ error }) => error && this.#say('lost', 'no connection to the server; trying again'),
    );
    ua.on('registered', () => this.#say('in'));
    ua.on('registrationFailed', ({ response, cause }) => this.#notRegistered(ua, response, cause));
    ua.on('newRTCSession', ({ session }) => this.#add(new Call(this, session)));
  }

  /** Who is refused is refused; all else is tried again, when the door says that its turn has come. */
  #notRegistered(ua, response, cause) {
    const status = response?.status_code ?? 0;
    if ([401, 403, 404].includes(status)) {
      ua.stop();
      this.#say('refused', response.reason_phrase);
      return;
    }
    const seconds = Number(response?.getHeader('Retry-After') ?? 5);
    this.#say('lost', `${response?.reason_phrase ?? cause}; trying again in ${seconds} s`);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => ua.isConnected() && ua.register(), seconds * 1000);
  }

  #add(call) {
    this.calls.push(call);
    call.addEventListener('change', () => {
      if (call.state === 'ended') this.calls = this.calls.filter((one) => one !== call);
    });
    this.dispatchEvent(new CustomEvent('call', { detail: call }));
  }

  #say(state, why = '') {
    this.dispatchEvent(new CustomEvent('state', { detail: { state, why } }));
  }
}

/** One call. Event: `change`, of any of its properties. */
class Call extends EventTarget {
  /** calling, ringing, incoming, talking, held (by us), ended. */
  state;
  muted = false;
  /** The other side holds us. */
  waiting = false;
  /** Why it ended, or what did not work. */
  why = '';
  /** What is heard. */
  stream = new MediaStream();
  #phone;
  #session;

  constructor(phone, session) {
    super();
    this.#phone = phone;
    this.#session = session;
    this.state = session.direction === 'incoming' ? 'incoming' : 'calling';
    session.on('progress', () => this.state === 'calling' && this.#become('ringing'));
    session.on('confirmed', () => this.#become('talking'));
    session.on('hold', ({ originator }) => this.#held(originator, true));
    session.on('unhold', ({ originator }) => this.#held(originator, false));
    session.on('ended', (event) => this.#ended(event));
    session.on('failed', (event) => this.#ended(event));
    session.on('peerconnection', ({ peerconnection }) => this.#listen(peerconnection));
    // Our own is made before anybody could listen.
    if (session.connection) this.#listen(session.connection);
  }

  get who() {
    const { display_name: name, uri } = this.#session.remote_identity;
    return name || uri.user;
  }

  get connection() {
    return this.#session.connection;
  }

  get established() {
    return this.state === 'talking' || this.state === 'held';
  }

  answer() {
    this.#session.answer(MEDIA);
  }

  /** Ends it. 486 and not 603: another device of the agent, or a mailbox, may still take it. */
  hangUp() {
    this.#session.terminate(this.state === 'incoming' ? { status_code: 486 } : {});
  }

  hold(on) {
    return on ? this.#session.hold() : this.#session.unhold();
  }

  mute(on) {
    if (on) this.#session.mute();
    else this.#session.unmute();
    this.muted = on;
    this.#changed();
  }

  /** Presses a key (RFC 4733). */
  press(key) {
    this.#session.sendDTMF(key, { transportType: 'RFC2833' });
  }

  /** Whom one would dial to reach the other side. */
  get #number() {
    return this.#session.remote_identity.uri.user;
  }

  /** Gives the call to somebody else. */
  transfer(number) {
    return this.#give(this.#phone.address(number), {});
  }

  /** Connects this call's other side with that one's (RFC 5589); both leave us. */
  connect(other) {
    return this.#give(this.#phone.address(other.#number), { replaces: other.#session });
  }

  async #give(target, options) {
    try {
      await this.#refer(target, options);
      if (this.state !== 'ended') this.hangUp();
    } catch (error) {
      this.why = `Not transferred: ${error.message}`;
      this.#changed();
    }
  }

  /** Settles when the server said what came of it, or ended our side of the call. */
  #refer(target, options) {
    return new Promise((resolve, reject) => {
      const no = ({ response, status_line: line, cause }) =>
        reject(new Error(line?.reason_phrase ?? response?.reason_phrase ?? cause));
      const eventHandlers = { accepted: resolve, failed: no, requestFailed: no };
      this.#session.refer(target, { ...options, eventHandlers });
      this.#session.once('ended', resolve);
    });
  }

  #listen(connection) {
    connection.addEventListener('track', ({ track }) => this.stream.addTrack(track));
    // The network changed, or the relay is gone: both are found anew by another offer.
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState === 'failed')
        this.#session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
    });
  }

  #held(originator, on) {
    if (originator === 'local') this.#become(on ? 'held' : 'talking');
    else {
      this.waiting = on;
      this.#changed();
    }
  }

  #ended({ originator, message, cause }) {
    const status = message?.status_code;
    this.why = status >= 300 ? `${status} ${message.reason_phrase}` : originator === 'local' ? '' : cause;
    this.#become('ended');
  }

  #become(state) {
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

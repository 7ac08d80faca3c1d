/** What can be changed on a running stand-in, by API, CLI or control server. */
export interface Settings {
  /** Channels (legs) it carries; beyond that INVITEs get 503. 0: no limit. */
  max: number;
  /** Milliseconds before an inbound call is answered. */
  answerDelayMs: number;
  /** Send 180 before answering. */
  ringing: boolean;
  /** A call of the mesh is parked unanswered for so many seconds, as on fs-media: commands say what becomes of it. 0: it is answered. */
  parkS: number;
  /** Hang up answered inbound calls after so many milliseconds; 0: the caller does. */
  hangupAfterMs: number;
  /** Refuse every new INVITE with this status; 0: take them. */
  respond: number;
  /** Drop new INVITEs without a word, while all else works. */
  ignoreInvites: boolean;
  /** FreeSWITCH's `fsctl pause`. */
  pausedInbound: boolean;
  pausedOutbound: boolean;
  /** OPTIONS get 503 while paused or full (sofia's sip-options-respond-503-on-busy). */
  optionsBusy: boolean;
  /** Bridge every inbound call to this next hop ("127.0.0.1:5060"); empty: answer it here. */
  bridgeTo: string;
  /** REFER and NOTIFY go on to the other leg, as at an fs-router; elsewhere a REFER is done here. */
  passesReferOn: boolean;
  /** Where calls going out are sent; empty: to the address in their URI. */
  outboundProxy: string;
  /** Dialplan context of calls that come in. */
  context: string;
  /** mod_xml_curl gateway for the dialplan; empty: the built-in one. */
  dialplanUrl: string;
  /** Limit of one dialplan request, milliseconds. */
  dialplanTimeoutMs: number;
  /** rtp_audio_in_mos of calls that end. */
  mos: number;
  /**
   * "echo" binds a UDP port per call and sends back what comes, and on to the other leg of a bridge; "send" sends
   * 50 packets a second.
   */
  rtp: 'off' | 'echo' | 'send';
}

export const DEFAULTS: Settings = {
  max: 0,
  answerDelayMs: 0,
  ringing: false,
  parkS: 0,
  hangupAfterMs: 0,
  respond: 0,
  ignoreInvites: false,
  pausedInbound: false,
  pausedOutbound: false,
  optionsBusy: false,
  bridgeTo: '',
  passesReferOn: false,
  outboundProxy: '',
  context: 'default',
  dialplanUrl: '',
  dialplanTimeoutMs: 2000,
  mos: 4.5,
  rtp: 'off',
};

/** Changes settings in place. Throws RangeError on an unknown name or a wrong type, and then changes nothing. */
export function applySettings(settings: Settings, patch: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(patch)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new RangeError(`unknown setting ${name}`);
    const wanted = typeof DEFAULTS[name as keyof Settings];
    if (typeof value !== wanted) throw new RangeError(`${name}: expected a ${wanted}`);
    if (name === 'rtp' && !['off', 'echo', 'send'].includes(value as string)) {
      throw new RangeError('rtp: expected off, echo or send');
    }
  }
  Object.assign(settings, patch);
}

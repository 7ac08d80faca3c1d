import type { SipMessage } from './message.ts';

/**
 * Writes a message the strict way: CRLF, full names, a right Content-Length,
 * nothing that could smuggle a second header field. Throws RangeError on a
 * name or value that cannot be sent.
 */
export function formatMessage(message: SipMessage): string {
  const first =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  if (BREAKS.test(first)) throw new RangeError('line break in a start line');
  let text = `${first}\r\n`;
  for (const { key, name, value } of message.headers.fields) {
    if (key === 'content-length') continue;
    if (!NAME.test(name)) throw new RangeError(`bad header name ${JSON.stringify(name)}`);
    if (BREAKS.test(value)) throw new RangeError(`line break or NUL in ${name}`);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}Content-Length: ${Buffer.byteLength(message.body)}\r\n\r\n${message.body}`;
}

const BREAKS = /[\r\n\0]/;
const NAME = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

const REASONS: Record<number, string> = {
  100: 'Trying',
  180: 'Ringing',
  183: 'Session Progress',
  200: 'OK',
  202: 'Accepted',
  302: 'Moved Temporarily',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  415: 'Unsupported Media Type',
  420: 'Bad Extension',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Request merged',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  491: 'Request Pending',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  600: 'Busy Everywhere',
  603: 'Decline',
};

/** The usual reason phrase of a status. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? (status < 300 ? 'OK' : 'Failure');
}

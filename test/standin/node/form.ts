import { urlEncode } from '../esl/event.ts';

/** A form as FreeSWITCH posts it: percent-encoded like its events. */
export function formatForm(fields: [string, string][]): string {
  return fields.map(([name, value]) => `${name}=${urlEncode(value)}`).join('&');
}

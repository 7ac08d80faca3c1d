import { z } from 'zod';

const EXPECTED = 'expected a SIP URI such as "sip:198.51.100.7:5060;transport=udp"';

const HOST =
  '(?:\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)';
const SIP_URI = new RegExp(
  `^sips?:(?:[A-Za-z0-9._~+-]{1,64}@)?${HOST}(?::(\\d{1,5}))?((?:;[a-z0-9-]+(?:=[A-Za-z0-9._-]+)?)*)$`,
);

/** A SIP URI (RFC 3261 section 19.1) without headers, or nothing. */
export const contactUri = z
  .string(EXPECTED)
  .max(255, EXPECTED)
  .superRefine((value, context) => {
    const problem = value === '' ? undefined : problemOf(value);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  })
  .default('');

function problemOf(value: string): string | undefined {
  const match = SIP_URI.exec(value);
  if (!match) return EXPECTED;
  if (match[1] !== undefined && (Number(match[1]) < 1 || Number(match[1]) > 65_535))
    return 'expected a port from 1 to 65535';
  const transport = /;transport=([^;]*)/.exec(match[2] ?? '')?.[1];
  if (transport !== undefined && !['udp', 'tcp', 'tls'].includes(transport))
    return 'expected transport udp, tcp or tls';
  return undefined;
}

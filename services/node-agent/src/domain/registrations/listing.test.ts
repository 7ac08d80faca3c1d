import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listedDevices } from './listing.ts';

const NOW = 1_700_000_000_000;
const PATH = '%3Csip%3Akama-wss-1%4010.0.0.1%3A5060%3Blr%3Bob%3E';

interface Row {
  readonly callId?: string;
  readonly user?: string;
  readonly contact?: string;
  readonly agent?: string;
  readonly left?: number;
}

/** As FreeSWITCH 1.11.2 writes it. */
function block({ callId = 'c-1', user = 'alice@acme.example', contact, agent = 'JsSIP', left = 130 }: Row) {
  return [
    `Call-ID:    \t${callId}`,
    `User:       \t${user}`,
    `Contact:    \t${contact ?? `"" <sip:a1@df7.invalid;transport=ws;fs_path=${PATH}>`}`,
    `Agent:      \t${agent}`,
    `Status:     \tRegistered(UDP)(unknown) EXP(2026-11-23 06:43:31) EXPSECS(${left})`,
    'Ping-Status:\tReachable',
    'Ping-Time:\t0.00',
    'Host:       \tfs-router-1',
    'IP:         \t127.0.0.1',
    'Port:       \t53577',
    'Auth-User:  \tunknown',
    'Auth-Realm: \tacme.example',
    `MWI-Account:\t${user}`,
    '',
    '',
  ].join('\n');
}
const RULE = '='.repeat(97);
const list = (...rows: Row[]) =>
  `\nRegistrations:\n${RULE}\n${rows.map(block).join('')}Total items returned: ${rows.length}\n${RULE}\n`;

describe('the list of registrations', () => {
  it('names each device as it registered, without the time FreeSWITCH adds', () => {
    expect(listedDevices(list({ user: 'Alice@ACME.example' }, { user: 'bob@acme.example' }), NOW)).toEqual([
      {
        aor: 'Alice@acme.example',
        contact: 'sip:a1@df7.invalid;transport=ws',
        path: ['sip:kama-wss-1@10.0.0.1:5060;lr;ob'],
        callId: 'c-1',
        userAgent: 'JsSIP',
        at: NOW,
        expiresAt: NOW + 120_000,
      },
      expect.objectContaining({ aor: 'bob@acme.example' }),
    ]);
  });

  it('may be empty, but is never half', () => {
    expect(listedDevices(list(), NOW)).toEqual([]);
    for (const text of ['', 'Invalid Profile!', '-ERR no reply', list({}).slice(0, 300)])
      expect(listedDevices(text, NOW)).toBeUndefined();
  });

  it('names a contact once that came by two paths: by the later', () => {
    const by = (path: string) => `"" <sip:a1@df7.invalid;fs_path=%3Csip%3A${path}%3Blr%3E>`;
    const text = list({ contact: by('one'), left: 40 }, { contact: by('two'), left: 90 });
    const [device, ...others] = listedDevices(text, NOW)!;
    expect(device?.path).toEqual(['sip:two;lr']);
    expect(others).toEqual([]);
  });

  it('leaves out what has expired for the device', () => {
    expect(listedDevices(list({ left: 10 }, { left: -3 }), NOW)).toEqual([]);
  });

  it('keeps escapes in a contact', () => {
    const contact = `"" <sip:bob%40home@10.0.0.1;fs_path=${PATH}>`;
    expect(listedDevices(list({ contact }), NOW)?.[0]?.contact).toBe('sip:bob%40home@10.0.0.1');
  });

  it('is not changed for others by what a device writes into its own lines', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text));
    const hostile = fc.record({ callId: line, agent: line, contact: line });
    const bob = listedDevices(list({ user: 'bob@acme.example' }), NOW)![0];
    fc.assert(
      fc.property(hostile, (row) => {
        const listed = listedDevices(list(row, { user: 'bob@acme.example' }, row), NOW)!;
        expect(listed.filter(({ aor }) => aor === 'bob@acme.example')).toEqual([bob]);
        expect(listed.length).toBeLessThanOrEqual(2);
      }),
    );
  });
});

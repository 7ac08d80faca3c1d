import { readFileSync } from 'node:fs';
import { Node, NodeRole } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { EslEvent } from '../src/adapters/esl/event.ts';
import { contentType } from '../src/adapters/esl/message.ts';
import { EslParser } from '../src/adapters/esl/parser.ts';
import { callEventOf } from '../src/domain/call-event.ts';
import { LegTable } from '../src/domain/leg-table.ts';

/** Bytes a FreeSWITCH 1.11 sent for one bridged call, a background job and a call with awkward variables. */
const bytes = readFileSync(new URL('fixtures/bridged-call.raw', import.meta.url));
const node = Node.create({ id: 'fs-1', role: NodeRole.NODE_ROLE_MEDIA, epoch: 'e' });

function events(chunk: number): EslEvent[] {
  const parser = new EslParser();
  const messages = [];
  for (let at = 0; at < bytes.length; at += chunk)
    messages.push(...parser.push(bytes.subarray(at, at + chunk)));
  expect(parser.buffered).toBe(0);
  for (const message of messages) expect(contentType(message)).toBe('text/event-plain');
  return messages.map((message) => EslEvent.fromPlain(message));
}

describe('what a real FreeSWITCH sent', () => {
  it('is read the same in chunks of any size', () => {
    const names = events(bytes.length).map(({ name }) => name);
    expect(names).toHaveLength(13);
    for (const chunk of [1, 7, 1460, 65_536]) expect(events(chunk).map(({ name }) => name)).toEqual(names);
  });

  it('makes two legs of a bridged call, and leaves none', () => {
    const table = new LegTable();
    const told = events(1460)
      .slice(0, 11)
      .flatMap((event) =>
        table.apply(event, 0).map((change) => callEventOf(change, event, { node, recordings: '', now: 0 })),
      );
    expect(told.map(({ event, outbound }) => `${event}${outbound ? ' out' : ''}`)).toEqual([
      ...['created', 'created out', 'ringing out', 'answered out', 'answered', 'bridged', 'bridged out'],
      ...['hangup', 'hangup out'],
    ]);
    expect(told[5]).toMatchObject({ legUuid: told[0]!.legUuid, otherLegUuid: told[1]!.legUuid });
    expect(told[6]).toMatchObject({ legUuid: told[1]!.legUuid, otherLegUuid: told[0]!.legUuid });
    expect(told[7]).toMatchObject({
      callId: '1-30603@127.0.0.1',
      caller: 'sipp',
      callee: '2000',
      hangupCause: 'NORMAL_CLEARING',
    });
    expect(told[7]!.at!.getTime()).toBeGreaterThan(told[0]!.at!.getTime());
    expect(told[7]!.summary).toMatchObject({
      endedBy: 'far',
      sipStatus: 200,
      q850Cause: 16,
      readCodec: 'PCMU',
      lastBridgeUuid: told[1]!.legUuid,
      transferred: false,
      farAddress: '127.0.0.1',
    });
    expect(table.size).toBe(0);
  });

  it('has the result of a background job after the event’s own headers', () => {
    const job = events(1460).find(({ name }) => name === 'BACKGROUND_JOB')!;
    expect(job.get('Job-Command')).toBe('uptime');
    expect(job.body.trim()).toMatch(/^\d+$/);
  });

  it('keeps awkward values whole', () => {
    const event = events(1460).at(-1)!;
    expect(event.variable('check_text')).toBe(`a:b % ü 'q' "dq" & end`);
    expect(event.variable('nolocal:check_exported')).toBe('1');
  });
});

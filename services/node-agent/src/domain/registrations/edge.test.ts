import { Node } from '@callmesh/proto/node';
import { expect, it } from 'vitest';
import { edgeOf } from './edge.ts';

const door = (id: string, address: string) =>
  Node.fromPartial({ id, role: 'NODE_ROLE_KAMA_WSS', sipUri: `sip:${address};transport=udp` });
const NODES = [
  Node.fromPartial({ id: 'fs-media-1', role: 'NODE_ROLE_MEDIA', sipUri: 'sip:10.0.0.9:5060' }),
  door('kama-wss-1', '10.0.0.1:5060'),
  door('kama-wss-2', '10.0.0.1:50601'),
];

it.each([
  ['the door it names', ['sip:kama-wss-1@10.0.0.7:5060;transport=udp;lr'], 'kama-wss-1'],
  ['the door at its address, to the last digit', ['sip:tok@10.0.0.1:5060;lr;ob'], 'kama-wss-1'],
  ['the first hop’s', ['sip:10.0.0.1:50601;lr', 'sip:kama-wss-1@10.0.0.1:5060'], 'kama-wss-2'],
  ['none, when a node is there that is no door', ['sip:fs-media-1@10.0.0.9:5060;lr'], ''],
  ['none, when nobody is known there', ['sip:x@192.0.2.1'], ''],
  ['none, without a path', [], ''],
])('a path leads to %s', (_, path, id) => {
  expect(edgeOf(path, NODES)).toBe(id);
});

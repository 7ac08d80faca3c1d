import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, freeswitchApi, freeswitchBinary, freeswitchNode, type Process } from '@callmesh/local';
import { describe, it } from 'vitest';
import { XmlServer } from './xml-server.ts';

/** A real FreeSWITCH of one role, and what plays its agent's part. */
export interface LabNode {
  readonly id: string;
  /** "127.0.0.1:port" inside, and towards carriers. */
  readonly sip: string;
  readonly carrier: string;
  readonly xml: XmlServer;
  readonly process: Process;
  api(command: string): Promise<string>;
}

/** Real FreeSWITCH nodes without a mesh around them. */
export class Lab {
  readonly #dir = mkdtempSync(join(tmpdir(), 'callmesh-lab-'));
  readonly #nodes: LabNode[] = [];

  /** Starts a node; `prepare` is there before it asks its first question. */
  async node(
    id: string,
    role: 'router' | 'media' | 'tandem',
    prepare: (xml: XmlServer) => void = () => {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<LabNode> {
    const xml = await XmlServer.start();
    prepare(xml);
    const esl = { port: await freePort(), password: randomBytes(16).toString('hex') };
    const [sip, carrier] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const dir = join(this.#dir, id);
    const process = freeswitchNode({ id, role, dir, sip, esl, max: 50, xmlPort: xml.port, carrier, env });
    const node = { id, sip, carrier, xml, process, api: (command: string) => freeswitchApi(esl, command) };
    this.#nodes.push(node);
    await process.start();
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ process }) => process.stop()));
    await Promise.all(this.#nodes.map(({ xml }) => xml.stop()));
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Rules of the real FreeSWITCH; said to be skipped where there is none. */
export function describeReal(name: string, rules: () => void): void {
  if (freeswitchBinary()) describe(name, rules);
  else describe(name, () => it.skip('skipped: no freeswitch on PATH or in FREESWITCH_HOME', () => {}));
}

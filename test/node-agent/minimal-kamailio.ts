import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, Process } from '@callmesh/local';
import { KamailioRpc } from '../../services/node-agent/src/adapters/kamailio/rpc.ts';
import { readTable } from '../../services/node-agent/src/adapters/kamailio/tables.ts';
import type { Stage } from './stage.ts';

const MODULES = ['sl', 'tm', 'pv', 'kex', 'htable', 'permissions', 'dispatcher', 'jsonrpcs'];

/** The node-agent's part of the configuration. */
interface Config {
  readonly fifo: string;
  readonly reply_dir: string;
  readonly dispatcher_list: string;
  readonly address_list: string;
}

/** A real Kamailio with nothing in it but what a node-agent keeps. */
export class MinimalKamailio {
  readonly process: Process;
  readonly config: Config;
  readonly #rpc: KamailioRpc;

  private constructor(process: Process, config: Config) {
    this.process = process;
    this.config = config;
    this.#rpc = new KamailioRpc({ fifo: config.fifo, replyDir: config.reply_dir }, 'test');
  }

  static async start(stage: Stage, name: string): Promise<MinimalKamailio> {
    const dir = join(stage.dir, name);
    const rpc = join(dir, 'rpc');
    mkdirSync(rpc, { recursive: true, mode: 0o700 });
    const config = {
      fifo: join(rpc, 'fifo'),
      reply_dir: `${rpc}/`,
      dispatcher_list: join(dir, 'dispatcher.list'),
      address_list: join(dir, 'address.list'),
    };
    for (const list of [config.dispatcher_list, config.address_list]) writeFileSync(list, '');
    const file = join(dir, 'kamailio.cfg');
    writeFileSync(file, text(config, await freePort()), { mode: 0o600 });
    const process = new Process({
      name,
      command: 'kamailio',
      args: ['-DD', '-E', '-f', file, '-Y', dir, '-m', '32', '-M', '4'],
      log: join(dir, 'kamailio.log'),
      ready: async () => {
        await eventually(() => existsSync(config.fifo), 'Kamailio has its FIFO');
      },
    });
    await stage.run(process);
    return new MinimalKamailio(process, config);
  }

  ask(method: string, params: readonly (string | number)[] = []): Promise<unknown> {
    return this.#rpc.ask(method, params);
  }

  async table(name: string): Promise<Record<string, string | number>> {
    return Object.fromEntries(await readTable(this.#rpc, name));
  }

  /** Destinations that are loaded, "setid uri". */
  async destinations(): Promise<string[]> {
    const answer = JSON.stringify(await this.ask('dispatcher.list').catch(() => ({})));
    return [...answer.matchAll(/"ID":(\d+)|"URI":"([^"]+)"/g)].reduce<{ set: string; all: string[] }>(
      ({ set, all }, [, id, uri]) => (id ? { set: id, all } : { set, all: [...all, `${set} ${uri}`] }),
      { set: '', all: [] },
    ).all;
  }

  /** The lines of the address file, and how many addresses are loaded. */
  async addresses(): Promise<{ lines: string[]; loaded: number }> {
    const lines = readFileSync(this.config.address_list, 'utf8').split('\n').filter(Boolean);
    const dumps = ['permissions.addressDump', 'permissions.subnetDump'].map((method) => this.ask(method));
    const loaded = JSON.stringify(await Promise.allSettled(dumps)).match(/"ip"/gi)?.length ?? 0;
    return { lines, loaded };
  }

  close(): Promise<void> {
    return this.#rpc.close();
  }
}

function text(config: Config, port: number): string {
  const tables = { nodes: 10, policy: 4, trunkauth: 12, trunkdest: 12 };
  const params = [
    ...Object.entries(tables).map(([name, size]) => `modparam("htable", "htable", "${name}=>size=${size};")`),
    `modparam("permissions", "address_file", "${config.address_list}")`,
    'modparam("permissions", "load_backends", 1)',
    'modparam("permissions", "reload_delta", 0)',
    `modparam("dispatcher", "list_file", "${config.dispatcher_list}")`,
    'modparam("dispatcher", "reload_delta", 0)',
    'modparam("jsonrpcs", "transport", 2)',
    `modparam("jsonrpcs", "fifo_name", "${config.fifo}")`,
    'modparam("jsonrpcs", "fifo_mode", 0600)',
    `modparam("jsonrpcs", "fifo_reply_dir", "${config.reply_dir}")`,
  ];
  return [
    ...[
      '#!KAMAILIO',
      'debug=1',
      'log_stderror=yes',
      'children=1',
      'disable_tcp=yes',
      `listen=udp:127.0.0.1:${port}`,
    ],
    ...MODULES.map((module) => `loadmodule "${module}.so"`),
    ...params,
    'request_route { sl_send_reply("404", "Not Here"); }\n',
  ].join('\n');
}

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { App, Component } from '@callmesh/runtime';
import type { DirectoryItem } from '../domain/directory.ts';
import type { NodeRecord } from '../domain/model.ts';
import type { Mesh } from '../mesh.ts';

/** Changes within this time are saved together: writing all tenants is not free. */
const SAVE_MS = 2_000;
const VERSION = 2;

interface Saved {
  readonly version: number;
  /** Unix milliseconds. */
  readonly savedAt: number;
  readonly items: DirectoryItem[];
  readonly nodes: NodeRecord[];
}

/**
 * Keeps tenants and nodes in a file, so that policy starts and answers when every
 * other service is away. Written beside and renamed: a crash leaves the old one.
 * It holds digest hashes: readable by its owner only.
 */
export function snapshotFile(app: App, mesh: Mesh, path: string): Component {
  let timer: NodeJS.Timeout | undefined;
  let saving = Promise.resolve();

  const save = async () => {
    const content: Saved = {
      version: VERSION,
      savedAt: Date.now(),
      items: [...mesh.directory.items()],
      nodes: [...mesh.nodes.records()],
    };
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(content));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  };
  const saveNow = () => {
    timer = undefined;
    // Half of a very first watch is no snapshot.
    if (!mesh.known) return;
    saving = saving.then(save).catch((error) => app.log.error({ err: error }, 'snapshot not saved'));
  };

  return {
    name: 'snapshot-file',
    async start() {
      await mkdir(dirname(path), { recursive: true });
      const saved = await load(app, path);
      if (saved) {
        mesh.known = true;
        for (const item of saved.items) mesh.directory.put(item);
        for (const node of saved.nodes) mesh.nodes.put(node);
        mesh.freshness.startFrom(saved.savedAt);
        app.log.info(
          { items: saved.items.length, nodes: saved.nodes.length, saved_at: new Date(saved.savedAt) },
          'snapshot loaded',
        );
      }
      mesh.changed = () => {
        timer ??= setTimeout(saveNow, SAVE_MS).unref();
      };
    },
    async stop() {
      mesh.changed = () => {};
      if (timer) {
        clearTimeout(timer);
        saveNow();
      }
      await saving;
    },
  };
}

/** What was saved; undefined when there is nothing usable: then policy waits for the services. */
async function load(app: App, path: string): Promise<Saved | undefined> {
  try {
    const saved = JSON.parse(await readFile(path, 'utf8')) as Saved;
    if (saved.version === VERSION) return saved;
    app.log.warn({ version: saved.version }, 'snapshot of another version ignored');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      app.log.warn({ err: error }, 'snapshot not readable');
  }
  return undefined;
}

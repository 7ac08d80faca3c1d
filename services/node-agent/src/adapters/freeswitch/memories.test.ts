import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { legLike } from '../../../test/support/commands.ts';
import { CommandMemory, REMEMBERED_MS } from '../../domain/commands/memory.ts';
import { CommandJournal } from './journal.ts';
import { LegMemory } from './leg-memory.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'memory-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('commands on disk', () => {
  const path = () => join(dir, 'commands.jsonl');
  /** What an agent that starts at this moment knows of a command. */
  const known = async (id: string, now: number) => {
    const memory = new CommandMemory();
    new CommandJournal(path(), memory, now).close();
    return memory.recall(id, now);
  };
  const journal = () => new CommandJournal(path(), new CommandMemory(), 0);

  it('keep what came of a command, refusals too', async () => {
    const first = journal();
    first.begun('a', 1);
    first.ended('a', { recording: 'x.wav' }, 2);
    first.begun('b', 3);
    first.ended('b', { errorCode: 'precondition_failed', errorMessage: 'no' }, 4);
    expect(await known('a', 5)).toEqual({ recording: 'x.wav' });
    expect(await known('b', 5)).toMatchObject({ errorCode: 'precondition_failed' });
  });

  it('say outcome_unknown of one that was begun and of which no end is known', async () => {
    journal().begun('a', 1);
    expect(await known('a', 2)).toMatchObject({ errorCode: 'outcome_unknown' });
  });

  it('do not hold digits', async () => {
    const first = journal();
    first.begun('a', 1);
    first.ended('a', { digits: '4711' }, 2);
    expect(readFileSync(path(), 'utf8')).not.toContain('4711');
    expect(await known('a', 3)).toMatchObject({ errorCode: 'outcome_unknown' });
  });

  it('are forgotten after their time, on disk too', async () => {
    const first = journal();
    first.begun('old', 0);
    first.begun('new', 10);
    expect(await known('old', REMEMBERED_MS + 5)).toBeUndefined();
    expect(await known('new', REMEMBERED_MS + 5)).toBeDefined();
    expect(readFileSync(path(), 'utf8')).not.toContain('old');
  });

  it('survive the half line of an agent that was killed while it wrote', async () => {
    const first = journal();
    first.begun('a', 1);
    first.close();
    writeFileSync(path(), `${readFileSync(path(), 'utf8')}{"id":"b","a`);
    expect(await known('a', 2)).toBeDefined();
    expect(await known('b', 2)).toBeUndefined();
  });

  it('stay a bounded file, however many there are', () => {
    const first = journal();
    for (let at = 0; at < 45_000; at++) first.begun(`c${at}`, at * 60);
    first.close();
    expect(readFileSync(path(), 'utf8').split('\n').length).toBeLessThan(31_000);
  });
});

describe('legs on disk', () => {
  const path = () => join(dir, 'legs.jsonl');
  const memory = (legs = [legLike()]) =>
    new LegMemory(
      path(),
      () => ({ epoch: 'e', legs }),
      () => {},
    );

  it('are there for the next agent, however the one before ended', async () => {
    const [kept, ended] = [legLike(), { ...legLike(), uuid: 'b' }];
    const first = memory([kept, ended]);
    first.note(kept);
    await Promise.resolve();
    expect(memory().load()).toMatchObject({ epoch: 'e', legs: [kept, ended] });
    first.note({ ...kept, bridgedTo: 'c' });
    first.note({ ...ended, hungUp: true });
    await Promise.resolve();
    expect(memory().load()).toMatchObject({ epoch: 'e', legs: [{ ...kept, bridgedTo: 'c' }] });
  });

  it('survive the half line of an agent that was killed while it wrote', async () => {
    const first = memory();
    first.note(legLike());
    first.flush();
    writeFileSync(path(), `${readFileSync(path(), 'utf8')}{"uuid":"x","cal`);
    expect(memory().load()).toMatchObject({ legs: [legLike()] });
  });

  it.each(['', '{', '[]', 'null', '{"epoch":"e","legs":[]}', '{"format":99,"epoch":"e"}\n'])(
    'are none when the file holds %j',
    (text) => {
      writeFileSync(path(), text);
      expect(memory().load()).toBeUndefined();
    },
  );

  it('stay a bounded file, however often they change', () => {
    const first = memory();
    for (let change = 0; change < 5_000; change++) {
      first.note({ ...legLike(), ordinal: change });
      first.flush();
    }
    expect(readFileSync(path(), 'utf8').split('\n').length).toBeLessThan(1_100);
  });

  it('of another life of FreeSWITCH take the place of those before', () => {
    let epoch = 'e';
    const living = new LegMemory(
      path(),
      () => ({ epoch, legs: [] }),
      () => {},
    );
    living.note(legLike());
    living.flush();
    epoch = 'f';
    living.note({ ...legLike(), hungUp: true });
    living.flush();
    expect(memory().load()).toEqual({ epoch: 'f', legs: [] });
  });

  it('that cannot be written are told of, and written whole when that is possible again', () => {
    const errors: Error[] = [];
    const legs = [legLike(), { ...legLike(), uuid: 'b' }];
    const blocked = join(dir, 'gone', 'legs.jsonl');
    const first = new LegMemory(
      blocked,
      () => ({ epoch: 'e', legs }),
      (error) => errors.push(error),
    );
    rmSync(join(dir, 'gone'), { recursive: true });
    first.note(legs[0]!);
    first.flush();
    expect(errors).toHaveLength(1);
    mkdirSync(join(dir, 'gone'));
    first.note(legs[1]!);
    first.flush();
    expect(first.load()?.legs).toHaveLength(2);
  });
});

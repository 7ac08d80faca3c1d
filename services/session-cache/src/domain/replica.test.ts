import { describe, expect, it } from 'vitest';
import { A, B, member, proposal, settled, until } from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';

async function filled(count: number) {
  const bucket = new MemoryBucket();
  const [one, two] = [member(bucket.connect()), member(bucket.connect())];
  await settled(one, two);
  const sessions = Array.from({ length: count }, (_, n) => proposal(`call-${n}`));
  for (const session of sessions) await one.sessions.bind(session, []);
  await settled(one, two);
  return { bucket, one, two, sessions };
}

describe('a replica', () => {
  it('puts back what the store lost, and loses nothing meanwhile', async () => {
    const { bucket, one, two } = await filled(100);
    bucket.wipe();
    expect([one.sessions.index.size, two.sessions.index.size]).toEqual([100, 100]);
    await until(() => bucket.keys().length === 100);
    await settled(one, two);
    const again = await two.sessions.bind(proposal('call-7', B), []);
    expect(again.created).toBe(false);
    await two.sessions.release(again.entry.value.sessionId);
    await settled(one, two);
    expect([one.sessions.index.size, two.sessions.index.size]).toEqual([99, 99]);
    expect(bucket.keys()).toHaveLength(99);
  });

  it('puts back what a dying store had not written to disk', async () => {
    const { bucket, one, two } = await filled(20);
    bucket.forget(bucket.position().last - 5);
    await until(() => bucket.keys().length === 20);
    await settled(one, two);
    expect([one.sessions.index.size, two.sessions.index.size]).toEqual([20, 20]);
  });

  it('brings a newer value back where the store fell behind', async () => {
    const { bucket, one, two, sessions } = await filled(3);
    const before = bucket.position().last;
    await one.sessions.move(sessions[0]!.sessionId, A, B);
    await settled(one, two);
    bucket.forget(before);
    // The in-memory bucket lost the key altogether; both replicas still name the new node.
    await settled(one, two);
    await until(() => bucket.keys().length === 3);
    expect(two.sessions.index.get(sessions[0]!.sessionId)?.value.nodeId).toBe('fs-b');
  });

  it('takes what was decided by others in a bucket made anew', async () => {
    const { bucket, one, two } = await filled(1);
    two.store.disconnect();
    one.store.disconnect();
    bucket.wipe();
    const fresh = member(bucket.connect());
    await settled(fresh);
    await fresh.sessions.bind(proposal('call-0', B), []);
    one.store.reconnect();
    two.store.reconnect();
    await settled(one, two);
    await until(() => [...one.sessions.index.find('fs-b', '')].length === 1);
    expect([...two.sessions.index.find('fs-b', '')]).toHaveLength(1);
    expect(two.sessions.index.size).toBe(1);
  });

  it('learns of removals that were compacted away while it was cut off', async () => {
    const { bucket, one, two, sessions } = await filled(10);
    two.store.disconnect();
    for (const { sessionId } of sessions.slice(0, 6)) await one.sessions.release(sessionId);
    await one.sessions.bind(proposal('new'), []);
    await settled(one);
    await one.replica.compact(one.replica.applied + 1);
    expect(bucket.position().count).toBe(5);
    two.store.reconnect();
    await settled(two);
    expect(two.sessions.index.size).toBe(5);
    expect(bucket.keys()).toHaveLength(5);
  });

  it('does not see a key again that it removed itself while the feed lags', async () => {
    let slow = false;
    const bucket = new MemoryBucket((what) =>
      slow && what === 'feed' ? new Promise((resolve) => setTimeout(resolve, 2)) : Promise.resolve(),
    );
    const one = member(bucket.connect());
    await settled(one);
    slow = true;
    const seen: boolean[] = [];
    one.replica.onChange((_key, _before, after) => seen.push(after !== undefined));
    for (let n = 0; n < 5; n++) {
      const session = proposal('call');
      await one.sessions.bind(session, []);
      await one.sessions.release(session.sessionId);
    }
    await settled(one);
    expect(seen).toEqual([true, false, true, false, true, false, true, false, true, false]);
  });

  it('is not fooled by the late answer to a write that others have undone since', async () => {
    let held: (() => void)[] | undefined;
    const bucket = new MemoryBucket((what) =>
      held && what === 'call' ? new Promise((resolve) => held?.push(resolve)) : Promise.resolve(),
    );
    const [one, two] = [member(bucket.connect()), member(bucket.connect())];
    await settled(one, two);
    held = [];
    const session = proposal('call');
    const bind = one.sessions.bind(session, []);
    held.shift()!();
    await until(() => one.sessions.index.size === 1 && two.sessions.index.size === 1);
    const answer = held.shift()!;
    held = undefined;
    await two.sessions.release(session.sessionId);
    await until(() => one.sessions.index.size === 0);
    answer();
    expect((await bind).created).toBe(true);
    expect(one.sessions.index.size).toBe(0);
  });
});

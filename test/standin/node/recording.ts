import type { CallLeg } from './call.ts';
import { microseconds } from './clock.ts';

/** Recordings of one leg, by path: told of, but nothing is written. */
export class Recordings {
  private readonly leg: CallLeg;
  private readonly running = new Map<string, { since: number; limit?: NodeJS.Timeout }>();

  constructor(leg: CallLeg) {
    this.leg = leg;
    leg.channel.onEnding.push(() => this.stop('all'));
  }

  start(path: string, limitS = 0): boolean {
    if (this.running.has(path) || !this.leg.channel.alive) return false;
    const limit = limitS > 0 ? setTimeout(() => this.stop(path), limitS * 1000) : undefined;
    this.running.set(path, { since: microseconds(), ...(limit && { limit }) });
    this.leg.channel.fire('RECORD_START', [['Record-File-Path', path]]);
    return true;
  }

  has(path: string): boolean {
    return this.running.has(path);
  }

  /** One by its path, or "all". */
  stop(path: string): boolean {
    const these = path === 'all' ? [...this.running.keys()] : [path].filter((one) => this.running.has(one));
    for (const one of these) this.end(one);
    return these.length > 0;
  }

  private end(path: string): void {
    const { since, limit } = this.running.get(path) ?? { since: 0 };
    clearTimeout(limit);
    this.running.delete(path);
    const ms = Math.floor((microseconds() - since) / 1000);
    const { channel } = this.leg;
    channel.set('record_ms', String(ms));
    channel.set('record_seconds', String(Math.floor(ms / 1000)));
    channel.set('record_samples', String(ms * 8));
    channel.fire('RECORD_STOP', [['Record-File-Path', path]]);
  }
}

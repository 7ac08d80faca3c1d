/** The session counters of `status` and HEARTBEAT. */
export class SessionCounter {
  total = 0;
  peak = 0;
  /** INVITEs seen, and those answered with a failure at once. */
  invites = 0;
  refused = 0;
  peakPerSecond = 0;
  private readonly starts: number[] = [];

  started(live: number): void {
    this.total++;
    this.peak = Math.max(this.peak, live);
    this.starts.push(Date.now());
    this.peakPerSecond = Math.max(this.peakPerSecond, this.lastSecond());
  }

  /** Sessions begun in the last second. */
  lastSecond(): number {
    const oldest = Date.now() - 1000;
    while (this.starts.length > 0 && (this.starts[0] as number) < oldest) this.starts.shift();
    return this.starts.length;
  }

  headers(): [string, string][] {
    return [
      ['Session-Per-Sec-Last', String(this.lastSecond())],
      ['Session-Per-Sec-Max', String(this.peakPerSecond)],
      ['Session-Per-Sec-FiveMin', String(this.peakPerSecond)],
      ['Session-Since-Startup', String(this.total)],
      ['Session-Peak-Max', String(this.peak)],
      ['Session-Peak-FiveMin', String(this.peak)],
    ];
  }
}

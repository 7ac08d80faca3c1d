import { SingleBar } from 'cli-progress';
import { type Sample, untilEmpty } from './domain/estimate.ts';
import { span } from './words.ts';

const FORMAT = '{name} [{bar}] {left} left, {ended} ended, {estimate}';

/** Shows how something empties; what it shows goes to standard error. */
export interface Progress {
  /** So many are left now. */
  update(left: number): void;
  end(): void;
}

/** A bar on a terminal, lines elsewhere. */
export function progressOf(name: string): Progress {
  const samples: Sample[] = [];
  const show = process.stderr.isTTY ? bar(name) : lines(name);
  return {
    update(left) {
      samples.push({ at: Date.now(), sessions: left });
      const most = Math.max(...samples.map(({ sessions }) => sessions));
      show.update(most, left, untilEmpty(samples));
    },
    end: () => show.end(),
  };
}

interface Show {
  update(most: number, left: number, estimate: number | undefined): void;
  end(): void;
}

function bar(name: string): Show {
  const shown = new SingleBar({ format: FORMAT, clearOnComplete: false, hideCursor: true, fps: 4 });
  let started = false;
  return {
    update(most, left, estimate) {
      const payload = { name, left, ended: most - left, estimate: estimated(estimate) };
      const total = Math.max(most, 1);
      if (started) shown.setTotal(total);
      if (started) shown.update(total - left, payload);
      else shown.start(total, total - left, payload);
      started = true;
    },
    end() {
      if (started) shown.stop();
    },
  };
}

/** For logs: a line per change. */
function lines(name: string): Show {
  let last = -1;
  return {
    update(most, left, estimate) {
      if (left === last) return;
      last = left;
      process.stderr.write(`${name}: ${left} left, ${most - left} ended, ${estimated(estimate)}\n`);
    },
    end() {},
  };
}

function estimated(ms: number | undefined): string {
  if (ms === undefined) return 'no estimate yet';
  return ms === 0 ? 'done' : `about ${span(ms)} to go`;
}

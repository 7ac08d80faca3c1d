import { type Leg, Told } from './leg.ts';

/** FreeSWITCH's cause where nobody said one (ITU-T Q.850 cause 31). */
const UNKNOWN_CAUSE = 'NORMAL_UNSPECIFIED';

/** A leg whose end nobody will tell any more: it ended no earlier than this, and why is not known. */
export function lost(leg: Leg, endedAt: Date): Leg {
  const lastSign = leg.answeredAt ?? leg.startedAt;
  return {
    ...leg,
    told: Told.endUnseen,
    endedAt: endedAt > lastSign ? endedAt : lastSign,
    hangupCause: UNKNOWN_CAUSE,
  };
}

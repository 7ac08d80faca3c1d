import { keptContact } from '../xml/contact.ts';
import { aorOf, type Device, keyOf, MOST_AGENT } from './device.ts';

/** What ends a whole list. */
const END = /^Total items returned: \d+$/m;
/** So much longer than it told the device FreeSWITCH keeps a contact (`sip-expires-late-margin`), milliseconds. */
const MARGIN_MS = 10_000;

/**
 * The devices in what `sofia status profile <name> reg` says at `now`, the newest of each
 * contact; undefined when it is no list. It is the only one to read them from: in
 * `xmlstatus` a device's Call-ID can end the element it stands in, and from `show
 * registrations` whoever registers at a new connection is missing once the old is gone.
 */
export function listedDevices(text: string, now: number): Device[] | undefined {
  if (!END.test(text)) return undefined;
  const devices = new Map<string, Device>();
  for (const block of text.split(/\n{2,}/)) {
    const device = deviceOf(block, now);
    const known = device && devices.get(keyOf(device));
    if (device && (known?.expiresAt ?? 0) < device.expiresAt) devices.set(keyOf(device), device);
  }
  return [...devices.values()];
}

function deviceOf(block: string, now: number): Device | undefined {
  const line = (name: string) => new RegExp(`^${name}: *\t(.*)$`, 'm').exec(block)?.[1] ?? '';
  const user = line('User');
  const at = user.lastIndexOf('@');
  const aor = aorOf(user.slice(0, at), user.slice(at + 1));
  const kept = keptContact(line('Contact'));
  const left = Number(/ EXPSECS\((-?\d+)\)$/.exec(line('Status'))?.[1]) * 1000 - MARGIN_MS;
  if (!aor || !kept || !(left > 0)) return undefined;
  const userAgent = line('Agent').slice(0, MOST_AGENT);
  return { aor, ...kept, callId: line('Call-ID'), userAgent, at: now, expiresAt: now + left };
}

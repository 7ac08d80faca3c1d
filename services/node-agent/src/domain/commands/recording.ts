/** Whose recording it is. */
interface Owner {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly legUuid: string;
}

/**
 * Path of a recording that begins at `now`, below the recordings folder:
 * "<tenant>/<yyyy-mm-dd>/<session>-<leg>-<hhmmss.mmm>.wav", UTC. The time keeps the
 * second recording of a leg from replacing the first.
 */
export function recordingPath({ tenantId, sessionId, legUuid }: Owner, now: number): string {
  const [day, time] = new Date(now).toISOString().split('T') as [string, string];
  return `${tenantId}/${day}/${sessionId}-${legUuid}-${time.replaceAll(':', '').replace('Z', '')}.wav`;
}

/** The path below the folder; as it is when it lies elsewhere. */
export function below(folder: string, path: string): string {
  return folder !== '' && path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

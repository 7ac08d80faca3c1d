/** Events that are subscribed on every connection. */
export const EVENTS = [
  ...['CHANNEL_CREATE', 'CHANNEL_PROGRESS', 'CHANNEL_PROGRESS_MEDIA', 'CHANNEL_ANSWER', 'CHANNEL_UUID'],
  ...['CHANNEL_BRIDGE', 'CHANNEL_UNBRIDGE', 'CHANNEL_HOLD', 'CHANNEL_UNHOLD', 'DTMF'],
  ...['RECORD_START', 'RECORD_STOP', 'CHANNEL_HANGUP_COMPLETE', 'CHANNEL_DESTROY'],
  ...['HEARTBEAT', 'BACKGROUND_JOB', 'SHUTDOWN'],
];
/** Custom events the leg table takes. Everything after CUSTOM is a subclass to FreeSWITCH: they come last. */
export const CUSTOM = ['CUSTOM', 'conference::maintenance', 'callmesh::referred'];

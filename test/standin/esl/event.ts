// Events as FreeSWITCH writes them on the wire (switch_event_serialize and
// its JSON and XML sisters).

export interface FsEvent {
  name: string;
  /** Header fields in order; a name may come twice. */
  headers: [string, string][];
  body?: string;
}

export type EventFormat = 'plain' | 'json' | 'xml';

/** SWITCH_URL_UNSAFE: what is percent-encoded in plain events. */
const UNSAFE = /[^\x20-\x7e]|[ #%&+:;<=>?@[\\\]^`{|}"]/gu;

export function urlEncode(value: string): string {
  return value.replace(UNSAFE, (c) => {
    let text = '';
    for (const byte of Buffer.from(c)) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return text;
  });
}

/** The whole frame of one event, Content-Length and all. */
export function formatEvent(event: FsEvent, format: EventFormat): string {
  const text = format === 'plain' ? plain(event) : format === 'json' ? json(event) : xml(event);
  return `Content-Length: ${Buffer.byteLength(text)}\nContent-Type: text/event-${format}\n\n${text}`;
}

function plain({ headers, body }: FsEvent): string {
  let text = '';
  for (const [name, value] of headers) text += `${name}: ${urlEncode(value)}\n`;
  return body ? `${text}Content-Length: ${Buffer.byteLength(body)}\n\n${body}` : `${text}\n`;
}

function json({ headers, body }: FsEvent): string {
  const members = headers.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  if (body) members.push(`"Content-Length":"${Buffer.byteLength(body)}"`, `"_body":${JSON.stringify(body)}`);
  return `{${members.join(',')}}`;
}

function xml({ headers, body }: FsEvent): string {
  const lines = headers.map(([name, value]) => `    <${name}>${urlEncode(value)}</${name}>\n`);
  const tail = body
    ? `  <Content-Length>${Buffer.byteLength(body)}</Content-Length>\n  <body>${escapeXml(body)}</body>\n`
    : '';
  return `<event>\n  <headers>\n${lines.join('')}  </headers>\n${tail}</event>\n`;
}

export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] as string,
  );
}

/** Names an `event` command may give (switch_event.c). */
export const EVENT_NAMES = new Set(
  `CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
  CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
  CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
  CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH
  UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT
  PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
  PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE
  PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT
  CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT
  RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START
  MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE
  TEXT SHUTDOWN_REQUESTED ALL`.split(/\s+/),
);

/**
 * A channel of FreeSWITCH as XML, and how one is taken from a node and handed to another: each is a line of Lua on
 * the event socket, so that no file, no folder and no database is shared with the node.
 */

const UUID = /^[0-9a-fA-F-]{36}$/;
const TAGGED = /(%3B|;)tag(%3D|=)/i;
/**
 * Added to CSeq: higher than anything FreeSWITCH used meanwhile; it stays below 2^31 for eighteen takeovers. A channel
 * has none before the first: FreeSWITCH takes it from the clock, below 2^27.
 */
const CSEQ_STEP = 100_000_000;
const CSEQ_FIRST = 2 ** 27 + CSEQ_STEP;
const CSEQ_LIMIT = 2_000_000_000;

/** FreeSWITCH writes nothing when the channel is gone; asked for one it does not know it would try to call it. */
export function takingLine(uuid: string): string {
  return `lua ~if freeswitch.API():executeString("uuid_exists ${safe(uuid)}")=="true" then local s=freeswitch.Session("${uuid}") stream:write(s:getXMLCDR()) end`;
}

/** Rows of an earlier life, or of a takeover that ended half-way, would be resurrected too. */
export function clearingLine(epoch: string): string {
  return sql(`delete from recovery where runtime_uuid!='${safe(epoch)}'`);
}

/** Puts a channel where `sofia recover` finds it; `epoch` is the life it comes from. */
export function insertingLine(uuid: string, epoch: string, channel: string): string {
  const profile = variableOf(channel, 'recovery_profile_name') ?? 'mesh';
  const row = [safe(epoch), 'sofia', profile, 'callmesh', safe(uuid), channel].map(
    (value) => `'${value.replaceAll("'", "''")}'`,
  );
  return sql(
    `insert into recovery (runtime_uuid,technology,profile_name,hostname,uuid,metadata) values (${row.join(',')})`,
  );
}

/** What differs at the heir: addresses media is bound to, and numbers that must have grown. */
export function forHeir(channel: string, from: string, to: string): string {
  let text = channel.replaceAll(/>\s*\n\s*</g, '><').replaceAll(/[\r\n]/g, ' ');
  for (const name of ['local_media_ip', 'advertised_media_ip'])
    text = change(text, name, (value) => (from !== '' && value === from ? to : value));
  text = change(text, 'sip_invite_cseq', raised);
  if (variableOf(text, 'sip_invite_cseq') === undefined)
    text = text.replace('</variables>', `<sip_invite_cseq>${CSEQ_FIRST}</sip_invite_cseq></variables>`);
  // FreeSWITCH would send it as its own: answers would go to the dead.
  return withToTag(without(text, 'sip_recover_via'));
}

/** Whether the dialog is all there: of a call that was answered at once, FreeSWITCH shows its own tag with the ACK. */
export function isWhole(channel: string): boolean {
  return Boolean(variableOf(channel, 'sip_to_tag')) || TAGGED.test(variableOf(channel, 'sip_full_to') ?? '');
}

/** Of a call that rang first, the To header gets its tag only with the ACK; the dialog has it from then on. */
function withToTag(text: string): string {
  const tag = variableOf(text, 'sip_to_tag');
  if (!tag) return text;
  return change(text, 'sip_full_to', (value) => (TAGGED.test(value) ? value : `${value}%3Btag%3D${tag}`));
}

function raised(value: string): string {
  const next = Number(value) + CSEQ_STEP;
  return String(next < CSEQ_LIMIT ? next : Number(value) + 1);
}

/** A channel variable, still encoded; undefined when there is none. */
export function variableOf(channel: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(channel)?.[1];
}

function change(text: string, name: string, to: (value: string) => string): string {
  return text.replace(
    new RegExp(`<${name}>([^<]*)</${name}>`),
    (_, value: string) => `<${name}>${to(value)}</${name}>`,
  );
}

function without(text: string, name: string): string {
  return text.replace(new RegExp(`<${name}>[^<]*</${name}>`), '');
}

/** The node's own core database, over a connection of its own. */
function sql(statement: string): string {
  // FreeSWITCH encodes values, so that no channel has this; what would end the quotation is not passed on.
  if (statement.includes(']==]')) throw new Error('no channel has "]==]" in it');
  return `lua ~local d=freeswitch.Dbh("sqlite://core") stream:write(tostring(d:query([==[${statement}]==]))) d:release()`;
}

function safe(uuid: string): string {
  if (!UUID.test(uuid)) throw new Error(`no UUID: ${uuid.slice(0, 60)}`);
  return uuid;
}

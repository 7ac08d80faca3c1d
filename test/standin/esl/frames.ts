// What a client sends to FreeSWITCH's event socket: a command line, header
// lines, a blank line, and a body when there is a Content-Length.

export interface EslCommand {
  /** The first line, e.g. "api status" or "bgapi originate ...". */
  line: string;
  /** Names in lower case. */
  headers: Map<string, string>;
  body: string;
}

/** mod_event_socket's own limits (MAX_CONTENT_LENGTH, CMD_BUFLEN). */
const MAX_BODY = 16 * 1024 * 1024;
const MAX_HEAD = 1024 * 1000;

/** Cuts the stream into commands however it is chunked; throws RangeError where FreeSWITCH hangs up. */
export class CommandReader {
  private pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): EslCommand[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const commands: EslCommand[] = [];
    for (;;) {
      // Blank lines between commands mean nothing.
      let start = 0;
      while (start < this.pending.length && (this.pending[start] === 10 || this.pending[start] === 13))
        start++;
      this.pending = this.pending.subarray(start);
      const end = blankLine(this.pending);
      if (end === undefined) {
        if (this.pending.length > MAX_HEAD) throw new RangeError('command too long');
        return commands;
      }
      const command = parseHead(this.pending.toString('utf8', 0, end));
      const length = Number(command.headers.get('content-length') ?? 0) || 0;
      if (length < 0 || length > MAX_BODY) throw new RangeError(`bad Content-Length ${length}`);
      if (this.pending.length < end + length) return commands;
      command.body = this.pending.toString('utf8', end, end + length);
      this.pending = this.pending.subarray(end + length);
      commands.push(command);
    }
  }
}

/** Offset after the first blank line; CR is ignored as FreeSWITCH does. */
function blankLine(data: Buffer): number | undefined {
  let newlines = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 10) {
      if (++newlines === 2) return i + 1;
    } else if (data[i] !== 13) newlines = 0;
  }
  return undefined;
}

function parseHead(text: string): EslCommand {
  const [line = '', ...rest] = text.split(/[\r\n]+/);
  const headers = new Map<string, string>();
  for (const field of rest) {
    const colon = field.indexOf(':');
    if (colon > 0)
      headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).replace(/^ +/, ''));
  }
  return { line, headers, body: '' };
}

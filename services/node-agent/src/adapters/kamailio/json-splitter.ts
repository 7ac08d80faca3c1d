const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Cuts a stream of JSON objects, written one after another without a separator, into their texts. */
export class JsonSplitter {
  #text = '';
  #scanned = 0;
  #depth = 0;
  #start = 0;
  #inString = false;
  #escaped = false;

  push(chunk: string): string[] {
    const whole: string[] = [];
    this.#text += chunk;
    for (; this.#scanned < this.#text.length; this.#scanned += 1) {
      const code = this.#text.charCodeAt(this.#scanned);
      if (this.#inString) this.#insideString(code);
      else if (this.#outsideString(code)) whole.push(this.#text.slice(this.#start, this.#scanned + 1));
    }
    if (this.#depth === 0) {
      this.#text = '';
      this.#scanned = 0;
    }
    return whole;
  }

  #insideString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#inString = false;
  }

  /** True at the bracket that ends an object. */
  #outsideString(code: number): boolean {
    if (code === QUOTE) this.#inString = this.#depth > 0;
    if (code === 0x7b || code === 0x5b) {
      if (this.#depth === 0) this.#start = this.#scanned;
      this.#depth += 1;
    }
    if ((code === 0x7d || code === 0x5d) && this.#depth > 0) {
      this.#depth -= 1;
      return this.#depth === 0;
    }
    return false;
  }
}

/** Digits of a number that stay: enough to recognise one that is known. */
const SHOWN = 2;

/** A number or user for eyes that may not see it: "+4930100100" is "•••00", "alice@acme.example" is "a•••@acme.example". */
export function masked(party: string): string {
  const [user = '', host] = party.split('@');
  if (user === '') return party;
  const hidden = /^\+?[\d*#]+$/.test(user) ? `•••${user.slice(-SHOWN)}` : `${user.slice(0, 1)}•••`;
  return host === undefined ? hidden : `${hidden}@${host}`;
}

/** A sentence in which whatever may be a telephone number is hidden. */
export function maskedText(text: string): string {
  return text.replace(/\+?\d{6,}(?![\da-f.-])/g, (number) => masked(number));
}

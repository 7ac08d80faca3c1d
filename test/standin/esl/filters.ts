/**
 * mod_event_socket's rule: without filters everything passes; with filters an
 * event passes when one matches, unless one that begins with "-" matches. A value
 * "/.../" is a regular expression, anything else is compared without case.
 */
export function matchesFilters(
  filters: { name: string; value: string }[],
  headers: [string, string][],
): boolean {
  if (filters.length === 0) return true;
  let send = false;
  for (const { name, value } of filters) {
    const header = headers.find(([key]) => key.toLowerCase() === name.toLowerCase());
    if (!header) continue;
    const [, signs = '', wanted = ''] = /^([+\- ]*)(.*)$/s.exec(value) ?? [];
    const positive = !signs.trimEnd().endsWith('-');
    if (send && positive) continue;
    if (!same(header[1], wanted)) continue;
    if (!positive) return false;
    send = true;
  }
  return send;
}

function same(value: string, wanted: string): boolean {
  const regex = /^\/(.*)\/(\w*)$/s.exec(wanted);
  if (!regex) return value.toLowerCase() === wanted.toLowerCase();
  try {
    return new RegExp(regex[1] as string, (regex[2] ?? '').replace(/[^imsu]/g, '')).test(value);
  } catch {
    return false;
  }
}

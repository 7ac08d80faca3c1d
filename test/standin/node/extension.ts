import type { Action } from './dialplan.ts';
import type { CallerProfile } from './profile.ts';

/** fast-xml-parser with preserveOrder: one key is the element, ":@" its attributes. */
export type XmlNode = Record<string, XmlNode[] | Record<string, string> | string>;

/**
 * The actions of the first extension whose conditions hold, as mod_dialplan_xml
 * finds them: regular expressions over caller fields and ${variables}, $1 filled in,
 * `break` on-false, on-true, always and never, and `continue` of extensions.
 */
export function matchExtension(
  document: XmlNode[],
  profile: CallerProfile,
  variables: Map<string, string>,
): Action[] | undefined {
  const actions: Action[] = [];
  for (const section of descend(document, ['document', 'section'])) {
    if (attribute(section, 'name') !== 'dialplan') continue;
    for (const context of elements(section, 'context')) {
      const name = attribute(context, 'name');
      if (name !== profile.context && name !== 'any') continue;
      for (const extension of elements(context, 'extension')) {
        const found = evaluate(extension, profile, variables);
        if (!found) continue;
        actions.push(...found);
        if (attribute(extension, 'continue') !== 'true') return actions;
      }
    }
  }
  return actions.length > 0 ? actions : undefined;
}

function evaluate(
  extension: XmlNode,
  profile: CallerProfile,
  variables: Map<string, string>,
): Action[] | undefined {
  const actions: Action[] = [];
  let matched = false;
  for (const condition of elements(extension, 'condition')) {
    const expression = attribute(condition, 'expression');
    const captures = expression === undefined ? [] : test(expression, fieldOf(condition, profile, variables));
    const stop = attribute(condition, 'break') ?? 'on-false';
    if (captures) {
      matched = true;
      actions.push(...take(condition, 'action', captures));
      if (stop === 'on-true' || stop === 'always') break;
    } else {
      actions.push(...take(condition, 'anti-action', []));
      if (elements(condition, 'anti-action').length > 0) matched = true;
      if (stop === 'on-false' || stop === 'always') {
        return actions.length > 0 && elements(condition, 'anti-action').length > 0 ? actions : undefined;
      }
    }
  }
  return matched ? actions : undefined;
}

function fieldOf(condition: XmlNode, profile: CallerProfile, variables: Map<string, string>): string {
  const field = attribute(condition, 'field') ?? '';
  const known: Record<string, string> = {
    destination_number: profile.destination,
    caller_id_number: profile.callerNumber,
    caller_id_name: profile.callerName,
    ani: profile.callerNumber,
    username: profile.username,
    network_addr: profile.networkAddr,
    context: profile.context,
    dialplan: 'XML',
    source: 'mod_sofia',
  };
  if (Object.hasOwn(known, field)) return known[field] ?? '';
  return field.replace(/\$\{([^}]+)\}/g, (_, name: string) => variables.get(name) ?? '');
}

function test(expression: string, value: string): string[] | undefined {
  const [, source = expression, flags = ''] = /^\/(.*)\/(\w*)$/s.exec(expression) ?? [];
  try {
    const match = new RegExp(source, flags.replace(/[^i]/g, '')).exec(value);
    return match ? [...match].map((group) => group ?? '') : undefined;
  } catch {
    return undefined;
  }
}

function take(condition: XmlNode, name: string, captures: string[]): Action[] {
  return elements(condition, name).map((action) => ({
    application: attribute(action, 'application') ?? '',
    data: (attribute(action, 'data') ?? '').replace(/\$(\d)/g, (_, n: string) => captures[Number(n)] ?? ''),
  }));
}

function descend(nodes: XmlNode[], path: string[]): XmlNode[] {
  let current = nodes;
  for (const [index, name] of path.entries()) {
    current =
      index === 0 ? nodes.filter((node) => name in node) : current.flatMap((node) => elements(node, name));
  }
  return current;
}

/** Child elements of this name. */
function elements(node: XmlNode, name: string): XmlNode[] {
  const children = Object.entries(node).find(([key]) => key !== ':@')?.[1];
  return Array.isArray(children) ? children.filter((child) => name in child) : [];
}

function attribute(node: XmlNode, name: string): string | undefined {
  return (node[':@'] as Record<string, string> | undefined)?.[name];
}

import type { NodeCommand, OriginateCommand } from '@callmesh/proto/command';
import { fail } from '@callmesh/runtime';
import * as check from './check.ts';
import { originateString } from './dial.ts';
import { inline, word } from './escape.ts';
import { programApps, type Scene } from './program.ts';
import { variables } from './variables.ts';

/** FreeSWITCH's word for an argument that is not given. */
const NONE = 'undef';

/** The API command that calls somebody; it ends when somebody answered, or nobody did. */
export function originate(command: NodeCommand, value: OriginateCommand, scene: Scene): string {
  const { dial, program, callId } = value;
  if (!dial) throw fail('invalid_argument', 'originate.dial: missing', { field: 'originate.dial' });
  const own = variables(value.variables, 'originate.variables.variables');
  for (const [name, text] of own) whole(text, `originate.variables.variables.${name}`);
  const legs = originateString(
    dial,
    scene,
    {
      uuid: command.legUuid,
      callId,
      variables: {
        ...Object.fromEntries(own),
        ...(program && { callmesh_program: command.commandId }),
      },
    },
    'originate.dial',
  );
  const apps = program ? programApps(program, scene, 'originate.program') : [{ name: 'park' }];
  const caller = [
    dial.callerName && notNone(check.displayName(dial.callerName, 'originate.dial.caller_name')),
    dial.callerNumber && check.number(dial.callerNumber, 'originate.dial.caller_number'),
  ];
  const [name, number] = [caller[0] || caller[1] || NONE, caller[1] || NONE];
  return `originate ${word(legs)} ${word(inline(apps))} inline ${NONE} ${word(name)} ${word(number)}`;
}

/** Brackets are counted in front of a dial string, escaped or not. */
function whole(text: string, field: string): void {
  if (/[{}]/.test(text)) throw fail('invalid_argument', `${field}: { and } are not taken here`, { field });
}

function notNone(name: string): string {
  if (name.toLowerCase() === NONE)
    throw fail('invalid_argument', `originate.dial.caller_name: "${NONE}" means none`, {
      field: 'originate.dial.caller_name',
    });
  return name;
}

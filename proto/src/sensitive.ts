import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import { protoFiles, ROOT } from './files.ts';

/** What a field's value may reveal. */
export type Sensitivity = 'personal' | 'secret';

/** A message: its fields as generated code names them, and what those that are marked reveal. */
export interface MarkedMessage {
  readonly fields: readonly string[];
  readonly marked: Readonly<Record<string, Sensitivity>>;
}

const require = createRequire(import.meta.url);
const OPTION = '(callmesh.options.v1.sensitivity)';
const MARKS: Readonly<Record<string, Sensitivity>> = {
  SENSITIVITY_PERSONAL: 'personal',
  SENSITIVITY_SECRET: 'secret',
};

/** Every message with a field that is marked `(callmesh.options.v1.sensitivity)`, by name. */
export function markedMessages(): Record<string, MarkedMessage> {
  const root = new protobuf.Root();
  root.resolvePath = (_, file) =>
    file.startsWith('google/') ? require.resolve(`protobufjs/${file}`) : `${ROOT}${file}`;
  root.loadSync(protoFiles());
  const all = messagesOf(root).map((type) => [type.fullName.slice(1), markedMessage(type)] as const);
  return Object.fromEntries(all.filter(([, { marked }]) => Object.keys(marked).length > 0));
}

function messagesOf(space: protobuf.NamespaceBase): protobuf.Type[] {
  return space.nestedArray.flatMap((nested) => [
    ...(nested instanceof protobuf.Type && nested.fullName.startsWith('.callmesh.') ? [nested] : []),
    ...(nested instanceof protobuf.Namespace ? messagesOf(nested) : []),
  ]);
}

function markedMessage(type: protobuf.Type): MarkedMessage {
  const marks = type.fieldsArray.map(({ name, options }) => [name, MARKS[options?.[OPTION] as string]]);
  // Generated code keeps the fields of a oneof under its name, as $case and value.
  const own = type.fieldsArray.map(({ name, partOf }) => partOf?.name ?? name);
  return { fields: [...new Set(own)].sort(), marked: Object.fromEntries(marks.filter(([, mark]) => mark)) };
}

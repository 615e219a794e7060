// Turns proto3 source text into a FileDescriptorProto (google/protobuf/descriptor.proto), as far as the files here need it: packages,
// imports, nested messages, enums, one-ofs, services. It is for the texts of this folder, not for a stranger's.

import { delimited, integer, message, text } from './wire.ts';

export interface DescribedFile {
  name: string;
  bytes: Buffer;
  /** Full names of everything that it declares, without a leading dot. */
  symbols: string[];
}

interface ProtoFile {
  name: string;
  package: string;
  imports: string[];
  roots: Declaration[];
}

type Declaration =
  | { type: 'message'; name: string; fullName: string; fields: Field[]; oneofs: string[]; nested: Declaration[] }
  | { type: 'enum'; name: string; fullName: string; values: { name: string; number: number }[] }
  | { type: 'service'; name: string; fullName: string; methods: Method[] };

interface Field {
  name: string;
  number: number;
  isRepeated: boolean;
  typeName: string;
  oneof: number | undefined;
}

interface Method {
  name: string;
  input: { typeName: string; isStream: boolean };
  output: { typeName: string; isStream: boolean };
}

/** FieldDescriptorProto.Type */
const SCALARS: Readonly<Record<string, number>> = {
  double: 1,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};
const MESSAGE_TYPE = 11;
const ENUM_TYPE = 14;

/** Files by name; a file may use names of any other. @throws TypeError if a text can't be read, or a name is not there */
export function describeFiles(sources: Readonly<Record<string, string>>): DescribedFile[] {
  const files = Object.entries(sources).map(([name, source]) => parseFile(name, source));
  const types = new Map<string, Declaration>();
  for (const file of files) for (const one of file.roots.flatMap(withNested)) types.set(one.fullName, one);
  return files.map((file) => ({
    name: file.name,
    bytes: encodeFile(file, types),
    symbols: file.roots.flatMap(withNested).flatMap((one) => [one.fullName, ...memberNames(one)]),
  }));
}

function withNested(one: Declaration): Declaration[] {
  return one.type === 'message' ? [one, ...one.nested.flatMap(withNested)] : [one];
}

function memberNames(one: Declaration): string[] {
  return one.type === 'service' ? one.methods.map(({ name }) => `${one.fullName}.${name}`) : [];
}

function parseFile(name: string, source: string): ProtoFile {
  const tokens = source.match(/[\w.]+|"[^"]*"|[{}()=;]/g) ?? [];
  let at = 0;
  const next = (): string => {
    const token = tokens[at++];
    if (token === undefined) throw new TypeError(`${name} ends too early`);
    return token;
  };
  const expect = (...wanted: string[]) => {
    for (const token of wanted) if (next() !== token) throw new TypeError(`${name}: "${token}" is missing`);
  };
  const accept = (token: string): boolean => tokens[at] === token && ++at > 0;
  const number = (): number => {
    expect('=');
    const value = Number(next());
    expect(';');
    return value;
  };

  function readMessage(scope: string): Declaration {
    const ownName = next();
    const fullName = `${scope}.${ownName}`;
    const fields: Field[] = [];
    const oneofs: string[] = [];
    const nested: Declaration[] = [];
    const readField = (oneof: number | undefined) => {
      const isRepeated = accept('repeated');
      const typeName = next();
      fields.push({ isRepeated, typeName, name: next(), number: number(), oneof });
    };
    expect('{');
    while (!accept('}')) {
      if (accept('message')) nested.push(readMessage(fullName));
      else if (accept('enum')) nested.push(readEnum(fullName));
      else if (accept('oneof')) {
        oneofs.push(next());
        expect('{');
        while (!accept('}')) readField(oneofs.length - 1);
      } else readField(undefined);
    }
    return { type: 'message', name: ownName, fullName, fields, oneofs, nested };
  }
  function readEnum(scope: string): Declaration {
    const ownName = next();
    const values: { name: string; number: number }[] = [];
    expect('{');
    while (!accept('}')) values.push({ name: next(), number: number() });
    return { type: 'enum', name: ownName, fullName: `${scope}.${ownName}`, values };
  }
  function readService(scope: string): Declaration {
    const ownName = next();
    const methods: Method[] = [];
    const readEnd = () => {
      expect('(');
      const isStream = accept('stream');
      const typeName = next();
      expect(')');
      return { typeName, isStream };
    };
    expect('{');
    while (!accept('}')) {
      expect('rpc');
      const methodName = next();
      const input = readEnd();
      expect('returns');
      methods.push({ name: methodName, input, output: readEnd() });
      expect(';');
    }
    return { type: 'service', name: ownName, fullName: `${scope}.${ownName}`, methods };
  }

  const file: ProtoFile = { name, package: '', imports: [], roots: [] };
  while (at < tokens.length) {
    const token = next();
    if (token === 'package') {
      file.package = next();
      expect(';');
    } else if (token === 'import') {
      file.imports.push(next().slice(1, -1));
      expect(';');
    } else if (token === 'message') file.roots.push(readMessage(file.package));
    else if (token === 'enum') file.roots.push(readEnum(file.package));
    else if (token === 'service') file.roots.push(readService(file.package));
    else throw new TypeError(`${name}: "${token}" was not expected`);
  }
  return file;
}

/** FileDescriptorProto: 1 name, 2 package, 3 dependency, 4 message_type, 5 enum_type, 6 service, 12 syntax. */
function encodeFile(file: ProtoFile, types: ReadonlyMap<string, Declaration>): Buffer {
  /** A name is looked for in the scope where it is used, then in the ones around it. */
  const resolve = (typeName: string, scope: string): Declaration => {
    for (let around = scope; ; around = around.slice(0, Math.max(0, around.lastIndexOf('.')))) {
      const found = types.get(around === '' ? typeName : `${around}.${typeName}`);
      if (found !== undefined) return found;
      if (around === '') throw new TypeError(`${file.name}: there is no ${typeName}`);
    }
  };
  /** FieldDescriptorProto: 1 name, 3 number, 4 label, 5 type, 6 type_name, 9 oneof_index, 10 json_name. */
  const encodeField = (field: Field, scope: string): Buffer => {
    const scalar = SCALARS[field.typeName];
    const found = scalar === undefined ? resolve(field.typeName, scope) : undefined;
    return message(
      text(1, field.name),
      integer(3, field.number),
      integer(4, field.isRepeated ? 3 : 1),
      integer(5, scalar ?? (found!.type === 'enum' ? ENUM_TYPE : MESSAGE_TYPE)),
      found === undefined ? NOTHING : text(6, `.${found.fullName}`),
      // Written even where it is 0: in proto2, which descriptors are, a field that is not written is not there.
      field.oneof === undefined ? NOTHING : Buffer.from([9 * 8, field.oneof]),
      text(
        10,
        field.name.replace(/_+(\w)/g, (_, letter: string) => letter.toUpperCase()),
      ),
    );
  };
  /**
   * DescriptorProto: 1 name, 2 field, 3 nested_type, 4 enum_type, 8 oneof_decl. EnumDescriptorProto: 1 name, 2 value (1 name,
   * 2 number). ServiceDescriptorProto: 1 name, 2 method (1 name, 2 input_type, 3 output_type, 5 client_streaming, 6 server_streaming).
   */
  const encode = (one: Declaration): Buffer => {
    if (one.type === 'message') {
      return message(
        text(1, one.name),
        ...one.fields.map((field) => delimited(2, encodeField(field, one.fullName))),
        ...one.nested.map((inner) => delimited(inner.type === 'enum' ? 4 : 3, encode(inner))),
        ...one.oneofs.map((name) => delimited(8, text(1, name))),
      );
    }
    if (one.type === 'enum') {
      const encodeValue = (value: { name: string; number: number }) =>
        message(text(1, value.name), Buffer.from([2 * 8, value.number]));
      return message(text(1, one.name), ...one.values.map((value) => delimited(2, encodeValue(value))));
    }
    const typeOf = (typeName: string) => `.${resolve(typeName, one.fullName).fullName}`;
    const encodeMethod = ({ name, input, output }: Method) =>
      message(
        text(1, name),
        text(2, typeOf(input.typeName)),
        text(3, typeOf(output.typeName)),
        integer(5, Number(input.isStream)),
        integer(6, Number(output.isStream)),
      );
    return message(text(1, one.name), ...one.methods.map((method) => delimited(2, encodeMethod(method))));
  };
  const numberOf = { message: 4, enum: 5, service: 6 } as const;
  return message(
    text(1, file.name),
    text(2, file.package),
    ...file.imports.map((name) => text(3, name)),
    ...file.roots.map((one) => delimited(numberOf[one.type], encode(one))),
    text(12, 'proto3'),
  );
}

const NOTHING = Buffer.alloc(0);

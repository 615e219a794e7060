// grpc.reflection.v1.ServerReflection: tells tools such as grpcurl which services are here, and what their messages look like.

import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { DescribedFile } from './describe.ts';
import { delimited, delimitedFields, integer, message, text } from './wire.ts';

export const REFLECTION_SERVICE = 'grpc.reflection.v1.ServerReflection';

/** Fields of ServerReflectionRequest. */
const FILE_BY_FILENAME = 3;
const FILE_CONTAINING_SYMBOL = 4;
const FILE_CONTAINING_EXTENSION = 5;
const EXTENSION_NUMBERS_OF_TYPE = 6;
const LIST_SERVICES = 7;

export interface ReflectionService {
  info(call: ServerDuplexStream<Buffer, Buffer>): void;
  /** Ends every conversation. */
  stop(): void;
}

export function createReflectionService(
  files: readonly DescribedFile[],
  services: readonly string[],
): ReflectionService {
  const byName = new Map(files.map((file) => [file.name, file]));
  const bySymbol = new Map(files.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)));
  const calls = new Set<ServerDuplexStream<Buffer, Buffer>>();
  const listed = delimited(6, message(...services.map((service) => delimited(1, text(1, service)))));

  const fileOf = (file: DescribedFile | undefined): Buffer =>
    file === undefined ? notFound() : delimited(4, delimited(1, file.bytes));

  function answer(request: Buffer): Buffer {
    for (const { number, bytes } of delimitedFields(request).reverse()) {
      if (number === FILE_BY_FILENAME) return fileOf(byName.get(bytes.toString()));
      if (number === FILE_CONTAINING_SYMBOL) return fileOf(bySymbol.get(bytes.toString()));
      if (number === LIST_SERVICES) return listed;
      // There are no extensions in proto3.
      if (number === FILE_CONTAINING_EXTENSION || number === EXTENSION_NUMBERS_OF_TYPE) return notFound();
    }
    return failure(status.INVALID_ARGUMENT, 'the request asks for nothing');
  }

  return {
    info(call) {
      calls.add(call);
      call.once('cancelled', () => calls.delete(call));
      call.on('data', (request: Buffer) => {
        try {
          // ServerReflectionResponse: 2 original_request, and one of the answers.
          call.write(message(delimited(2, request), answer(request)));
        } catch (error) {
          calls.delete(call);
          call.emit('error', { code: status.INVALID_ARGUMENT, details: (error as Error).message });
        }
      });
      call.on('end', () => {
        calls.delete(call);
        call.end();
      });
    },
    stop() {
      for (const call of calls) call.end();
      calls.clear();
    },
  };
}

const notFound = () => failure(status.NOT_FOUND, 'not found');

/** ErrorResponse: 1 error_code, 2 error_message. */
function failure(code: number, details: string): Buffer {
  return delimited(7, message(integer(1, code), text(2, details)));
}

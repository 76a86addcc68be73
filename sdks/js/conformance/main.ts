// Reads requests and answers them, one after the other, until the input ends: conformance/README.md.
import { CallFailed, P4Error } from "../src/index.js";
import { Channels } from "./channels.js";
import { coreOperations } from "./core.js";
import { Device } from "./device.js";
import type { Arguments } from "./protocol.js";

interface Request {
  readonly id: number;
  readonly operation: string;
  readonly arguments: Arguments;
}

const device = new Device();
const operations = { ...coreOperations, ...device.operations, ...new Channels(device).operations };

function errorEntry(error: P4Error): object {
  const { code, message, type } = error;
  return {
    code,
    message,
    type,
    ...("may_have_run" in error.data ? { may_have_run: error.mayHaveRun } : {}),
    ...(error instanceof CallFailed ? { service_data: error.data["data"] } : {}),
  };
}

async function answer(request: Request): Promise<object> {
  const operation = operations[request.operation];
  if (operation === undefined) return { unsupported: `this command knows no ${request.operation}` };
  try {
    return { result: await operation(request.arguments) };
  } catch (error) {
    if (error instanceof P4Error) return { error: errorEntry(error) };
    console.error(error);
    return { failed: String(error) };
  }
}

/** Lines as the protocol means them. Node's readline ends them at U+2028 as well, which JSON may hold. */
async function* lines(): AsyncGenerator<string, void> {
  let pieces: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...pieces, chunk.subarray(start, end)]).toString();
      pieces = [];
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
  }
}

for await (const line of lines()) {
  const request = JSON.parse(line) as Request;
  const text = JSON.stringify({ id: request.id, ...(await answer(request)) });
  if (!process.stdout.write(`${text}\n`))
    await new Promise((resolve) => process.stdout.once("drain", resolve));
}
device.close();
process.exit(0);

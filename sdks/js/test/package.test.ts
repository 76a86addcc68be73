// What the package says of itself: its example, its two forms, its documentation.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import ts from "typescript";
import { parseEvents } from "../src/client/sse.js";
import { type Pair, pair } from "./daemons.js";
import { PACKAGE } from "./places.js";

const run = promisify(execFile);
const written = join(PACKAGE, "build", "written");

function write(name: string, text: string): string {
  mkdirSync(written, { recursive: true });
  writeFileSync(join(written, name), text);
  return join(written, name);
}

describe("with two devices", { timeout: 120_000 }, () => {
  let two: Pair;
  before(async () => {
    two = await pair();
  });
  after(() => two.remove());

  test("the first example of the README runs", async () => {
    const example = /```js\n(.*?)```/s.exec(readFileSync(join(PACKAGE, "README.md"), "utf8"))?.[1];
    const env = { ...process.env, HOME: two.laptopDaemon.home };
    const { stdout } = await run(process.execPath, [write("hello.mjs", example ?? "")], { env });
    assert.equal(stdout, "true\n");
    assert.equal((await two.phone.chat.page("laptop")).entries.at(-1)?.text, "hello");
  });

  test("the package works as CommonJS", async () => {
    const program = `const { connect } = require("p4-sdk");
      connect({ stateDir: process.argv[2] }).then(async (me) => {
        console.log((await me.contact("phone").status()).name);
        me.close();
      });`;
    const args = [write("hello.cjs", program), two.laptopDaemon.stateDir];
    assert.equal((await run(process.execPath, args)).stdout, "phone\n");
  });

  test("the example chats", { timeout: 30_000 }, async () => {
    const chat = join(PACKAGE, "build", "examples", "chat", "chat.js");
    const child = spawn(process.execPath, [chat, "phone", two.laptopDaemon.stateDir]);
    let shown = "";
    after(() => child.kill());
    const until = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (shown.includes(text)) resolve();
        };
        child.stdout.on("data", look);
        look();
      });
    child.stdout.on("data", (text: Buffer) => (shown += text.toString()));
    child.stdin.write("good morning\n");
    await until("me: good morning\n");
    await two.phone.chat.say("laptop", "and \u001b[31myou");
    await until("phone: and ·[31myou\n");
    child.stdin.end();
    assert.equal(await new Promise((resolve) => child.on("exit", resolve)), 0);
    assert.equal(shown.match(/good morning/g)?.length, 1);
  });
});

test("everything that is offered is documented", () => {
  const program = ts.createProgram([join(PACKAGE, "src/index.ts"), join(PACKAGE, "src/browser.ts")], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
  });
  const checker = program.getTypeChecker();
  let count = 0;
  for (const file of program
    .getSourceFiles()
    .filter((one) => /src\/(index|browser)\.ts$/.test(one.fileName))) {
    const entry = checker.getSymbolAtLocation(file);
    assert.ok(entry);
    for (const found of checker.getExportsOfModule(entry)) {
      const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
      count += 1;
      assert.notEqual(symbol.getDocumentationComment(checker).length, 0, `${symbol.name} has no description`);
      for (const [name, method] of symbol.members ?? []) {
        if (!(method.flags & ts.SymbolFlags.Method) || /^(_|#|next$)/.test(String(name))) continue;
        const hidden = ts.ModifierFlags.NonPublicAccessibilityModifier;
        if (method.declarations?.some((one) => ts.getCombinedModifierFlags(one) & hidden)) continue;
        const described = method.getDocumentationComment(checker).length > 0;
        assert.ok(described, `${symbol.name}.${String(name)} has no description`);
      }
    }
  }
  assert.ok(count > 60, String(count));
});

test("server-sent events are read whatever way they are cut", async () => {
  const text = 'event: message\r\ndata: {"é":\ndata: 1}\n\n: ping\n\ndata:x\n\nevent: cut\ndata: off\n';
  const whole = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, whole.length]) {
    const found: unknown[] = [];
    // eslint-disable-next-line @typescript-eslint/require-await -- an iterator of pieces that are there
    const pieces = async function* (): AsyncGenerator<Uint8Array, void> {
      for (let start = 0; start < whole.length; start += size) yield whole.subarray(start, start + size);
    };
    for await (const event of parseEvents(pieces())) found.push(event);
    assert.deepEqual(found, [
      { kind: "message", data: '{"é":\n1}' },
      { kind: "message", data: "x" },
    ]);
  }
});

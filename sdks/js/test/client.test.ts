// The client on two real daemons that are paired.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CallFailed, connect, P4Error, type Value } from "../src/index.js";
import { type Pair, pair } from "./daemons.js";

describe("two devices", { timeout: 240_000 }, () => {
  let two: Pair;
  before(async () => {
    two = await pair();
  });
  after(() => two.remove());

  test("identity, status, contacts and services", async () => {
    const { laptop, phone } = two;
    const me = await laptop.identity();
    assert.match(me.id, /^[0-9a-f]{24}$/);
    const status = await laptop.status();
    assert.equal(status.id, me.id);
    assert.equal(status.contacts[0]?.name, "phone");
    const contact = await phone.contact("laptop").status();
    assert.deepEqual([contact.id, contact.connected, contact.queuedMessages], [me.id, true, 0]);
    assert.deepEqual(
      (await phone.contacts()).map((one) => one.name),
      ["laptop"],
    );
    assert.ok((await laptop.services()).every((use) => typeof use.servesCalls === "boolean"));
    assert.match(await laptop.metrics(), /^# HELP /m);
    assert.equal((await laptop.renameDevice("desk")).name, "desk");
    assert.ok((await laptop.doctor(false)).findings.length >= 0);
    const [ours, theirs] = [
      await laptop.contact("phone").verification(),
      await phone.contact(me.id).verification(),
    ];
    assert.deepEqual(ours.words, theirs.words);
  });

  test("grants, names and policies", async () => {
    const phone = two.laptop.contact("phone");
    assert.ok((await phone.grant("more")).includes("more"));
    assert.ok(!(await phone.revoke("more")).includes("more"));
    await assert.rejects(phone.revoke("more"), { code: "unknown" });
    assert.equal((await phone.rename("téléphone")).name, "téléphone");
    const renamed = two.laptop.contact("Téléphone");
    await renamed.setPolicy("direct");
    await renamed.rename("phone");
    assert.equal((await phone.status()).policy, "direct");
  });

  test("messages arrive in order, with their values, and receipts say so", async () => {
    const values: Value[] = ["é😀", { a: [1, null, true], snake_case: 1 }, new Uint8Array([0, 255]), null];
    const phone = two.laptop.contact("phone");
    const receipts = [...(await phone.sendMany(values.slice(0, 2), { service: "notes" }))];
    for (const value of values.slice(2)) receipts.push(await phone.send(value, { service: "notes" }));
    const arrived: Value[] = [];
    for await (const message of two.phone.messages("notes")) {
      assert.equal(message.contact.name, "laptop");
      arrived.push(message.value);
      await message.done();
      if (arrived.length === values.length) break;
    }
    assert.deepEqual(arrived, values);
    for (const receipt of receipts) await receipt.consumed();
    assert.equal(receipts[0]?.state, "consumed");
  });

  test("messages that are sent at a time keep their order, and one that is refused harms no other", async () => {
    const phone = two.laptop.contact("phone");
    const values = Array.from({ length: 300 }, (_, place) => (place === 150 ? "x".repeat(1_200_000) : place));
    const outcomes = await Promise.allSettled(values.map((value) => phone.send(value, { service: "notes" })));
    const refused = outcomes.flatMap((outcome, place) => (outcome.status === "rejected" ? [place] : []));
    assert.deepEqual(refused, [150]);
    const wanted = values.filter((value) => typeof value === "number");
    const arrived: Value[] = [];
    for await (const message of two.phone.messages("notes")) {
      arrived.push(message.value);
      void message.done();
      if (arrived.length === wanted.length) break;
    }
    assert.deepEqual(arrived, wanted);
    const ids = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.id] : []));
    assert.equal(new Set(ids).size, wanted.length);
  });

  test("closing a client ends what it has open", async () => {
    const client = await connect({ stateDir: two.phoneDaemon.stateDir });
    const serving = await client.serve("home", () => "still here");
    const datagrams = await client.datagrams("game");
    const waiting = assert.rejects(client.nextStream("films"), P4Error);
    const events = client.events();
    client.close();
    await assert.rejects(serving.ended, { code: "closed" });
    await waiting;
    await assert.rejects(datagrams.send("laptop", new Uint8Array(1)), P4Error);
    await assert.rejects(events.next(), { code: "closed" });
    // The daemon knows that nobody serves it any more.
    await (await two.phone.serve("home", () => "somebody else")).close();
  });

  test("what was not done comes again to the next reader", async () => {
    await two.laptop.contact("phone").sendMany([1, 2, 3], { service: "notes" });
    const first = two.phone.messages("notes", { contact: "laptop" });
    await (await first.next()).value?.done();
    assert.equal((await first.next()).value?.value, 2);
    await first.close();
    assert.equal((await first.next()).done, true);
    const again: Value[] = [];
    for await (const message of two.phone.contact("laptop").messages("notes")) {
      again.push(message.value);
      void message.done(); // leaving the loop tells the daemon
      if (again.length === 2) break;
    }
    assert.deepEqual(again, [2, 3]);
    const { value: last } = await two.laptop
      .contact("phone")
      .send("last", { service: "notes", latest: "key" })
      .then(() => two.phone.messages("notes").next());
    assert.deepEqual([last?.value, last?.key], ["last", "key"]);
    await last?.done();
  });

  test("a next that waits ends with the subscription, and with the client", async () => {
    const waiting = two.phone.messages("notes");
    const next = waiting.next();
    await waiting.close();
    assert.equal((await next).done, true);
    const other = await two.phoneDaemon.client();
    const pending = other.messages("notes").next();
    await other.services();
    other.close();
    await assert.rejects(pending, { code: "closed" });
    await assert.rejects(other.identity(), { code: "closed" });
  });

  test("a message that is refused says so", async () => {
    const receipt = await two.laptop.contact("phone").send(1, { service: "unheard-of" });
    await assert.rejects(receipt.delivered(), { type: "DeliveryError" });
    await assert.rejects(two.phone.messages("chat").next(), { code: "in-use", status: 409 });
  });

  test("chat", async () => {
    const receipt = await two.laptop.contact("phone").send("hello");
    await receipt.delivered();
    const page = await two.phone.chat.page("laptop");
    const line = page.entries.at(-1);
    assert.deepEqual([line?.text, line?.mine, line?.messageId], ["hello", false, receipt.id]);
    await two.phone.chat.markRead("laptop", line?.id ?? "");
    await two.phone.chat.typing("laptop");
    assert.equal((await two.phone.chat.conversations())[0]?.unread, 0);
    assert.equal((await two.phone.chat.say("laptop", "hi")).mine, true);
  });

  test("calls, and how they fail", async () => {
    let cancelled: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (cancelled = resolve));
    const serving = await two.phone.serve("home", async (call) => {
      if (call.service === "home.fail") throw new CallFailed("too-hot", "It burns.", { degrees: 99 });
      if (call.service === "home.bug") throw new TypeError("private");
      if (call.service === "home.slow") {
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
        cancelled();
        return null;
      }
      assert.equal(call.contact.name, "laptop");
      return call.argument;
    });
    const phone = two.laptop.contact("phone");
    assert.deepEqual(await phone.call("home.light", { on: true }), { on: true });
    assert.deepEqual(await phone.call("home.light", new Uint8Array([1, 2])), new Uint8Array([1, 2]));
    assert.equal(await phone.call("home"), null);
    await assert.rejects(phone.call("home.fail"), (error: unknown) => {
      assert.ok(error instanceof CallFailed && error instanceof P4Error);
      assert.deepEqual(
        [error.code, error.message, error.data["data"]],
        ["too-hot", "It burns.", { degrees: 99 }],
      );
      return true;
    });
    const log = console.error;
    console.error = () => undefined; // the handler's own log
    await assert.rejects(phone.call("home.bug"), (error: P4Error) => !/private/.test(JSON.stringify(error)));
    console.error = log;
    const controller = new AbortController();
    const slow = phone.call("home.slow", null, { signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error("enough"));
    }, 200);
    await assert.rejects(slow, /enough/);
    await gone;
    await assert.rejects(
      two.phone.serve("home", () => null),
      { code: "already-served" },
    );
    await serving.close();
    await serving.ended;
    await assert.rejects(phone.call("home.light", 1), (error: P4Error) => error.type.startsWith("Call"));
  });

  test("streams, both ways, as iterators and as web streams", async () => {
    const accepting = two.phone.nextStream("films");
    const out = await two.laptop.contact("phone").stream("films", "film.mkv");
    const data = Uint8Array.from({ length: 600_000 }, (_, place) => place % 251);
    const writing = (async () => {
      await out.write(data);
      await out.flush();
      await out.closeWriting();
    })();
    const incoming = await accepting;
    assert.deepEqual([incoming.name, incoming.contact.name], ["film.mkv", "laptop"]);
    const pieces: Uint8Array[] = [];
    for await (const piece of incoming) pieces.push(piece);
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(data));
    await writing;
    await out.waitConfirmed();
    assert.equal(out.confirmed, data.length);
    const writer = incoming.writable.getWriter();
    await writer.write(new Uint8Array([1, 2, 3]));
    await writer.close();
    const back: number[] = [];
    for await (const piece of out.readable) back.push(...piece);
    assert.deepEqual(back, [1, 2, 3]);
    await Promise.all([out.waitDone(), incoming.waitDone()]);
    await assert.rejects(out.reopen(), { code: "over" });
  });

  test("a stream that is reset says why", async () => {
    const accepting = two.phone.contact("laptop").nextStream("films");
    const out = await two.laptop.contact("phone").stream("films", "broken");
    await out.write(new Uint8Array(1));
    const incoming = await accepting;
    await incoming.reset("no space");
    await assert.rejects(out.read(), { type: "StreamError" });
    const controller = new AbortController();
    const waiting = two.phone.nextStream("films", { signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error("enough"));
    }, 100);
    await assert.rejects(waiting, /enough/);
  });

  test("datagrams", async () => {
    const [mine, theirs] = await Promise.all([two.laptop.datagrams("game"), two.phone.datagrams("game")]);
    const sending = setInterval(() => void mine.send("phone", new Uint8Array([7])), 50);
    for await (const datagram of theirs) {
      assert.deepEqual([datagram.contact.name, [...datagram.data]], ["laptop", [7]]);
      break;
    }
    clearInterval(sending);
    await mine.send("phone", new Uint8Array(5000));
    await assert.rejects(async () => {
      for await (const datagram of mine) assert.fail(`nobody sent ${datagram.data.length} bytes`);
    }, P4Error);
    mine.close();
    theirs.close();
  });

  test("events", async () => {
    const events = two.laptop.events(["contact.renamed", "feed.opened"]);
    assert.equal((await events.next()).value?.kind, "feed.opened");
    await two.laptop.contact("phone").rename("handset");
    const renamed = (await events.next()).value;
    assert.equal(renamed?.kind, "contact.renamed");
    await two.laptop.contact("handset").rename("phone");
    await events.return();
    const controller = new AbortController();
    const next = two.laptop.events([], { signal: controller.signal }).next();
    controller.abort();
    assert.equal((await next).done, true);
  });

  test("tokens, over TCP", async () => {
    const { url, token: owner } = two.laptopDaemon.overTcp();
    const made = await two.laptop.newToken("notes", { services: ["notes"], expiresInSeconds: 600 });
    assert.deepEqual(made.services, ["notes"]);
    const app = await connect({ url, token: made.token });
    await (await app.contact("phone").send({ to: "tcp" }, { service: "notes" })).delivered();
    await assert.rejects(app.contact("phone").call("home"), { code: "not-granted", status: 403 });
    await assert.rejects(app.tokens(), { code: "owner-only" });
    await assert.rejects(app.datagrams("game"), { code: "not-granted" });
    await two.laptop.revokeToken(made.id);
    await assert.rejects(app.identity(), { status: 401 });
    app.close();
    const all = await connect({ url: `${url}/`, token: owner });
    assert.ok((await all.tokens()).every((token) => token.id !== made.id));
    assert.match((await all.webLogin()).url, /^http:\/\/127\.0\.0\.1/);
    all.close();
  });

  test("errors of the way", async () => {
    await assert.rejects(connect({ stateDir: "/nowhere/p4" }), { code: "no-daemon" });
    await assert.rejects(connect({ url: "http://127.0.0.1:1", token: "x" }), { code: "no-daemon" });
    await assert.rejects(connect({ token: "x" }), { code: "bad-endpoint" });
    await assert.rejects(two.laptop.contact("tabet").status(), { code: "unknown", type: "ContactError" });
    assert.throws(() => two.laptop.contact("a/b"), { code: "bad-name" });
    await assert.rejects(two.laptop.request("GET", "/v1/messages/notes/next", { timeoutSeconds: 0.2 }), {
      code: "no-answer",
    });
  });
});

// What a kill -9 of the daemon does to a program that uses it: nothing is lost, nothing comes twice.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FEED_OPENED, P4Error, type Stream } from "../src/index.js";
import { type Pair, pair } from "./daemons.js";

const COUNT = 600;

describe("restarts", { timeout: 300_000 }, () => {
  let two: Pair;
  before(async () => {
    two = await pair();
  });
  after(() => two.remove());

  test("a daemon that is killed while it is read from loses and doubles nothing", async () => {
    const sending = (async () => {
      for (let start = 0; start < COUNT; start += 20) {
        const values = Array.from({ length: 20 }, (_, place) => start + place);
        await two.laptop.contact("phone").sendMany(values, { service: "notes" });
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    const arrived: number[] = [];
    let restarting: Promise<void> | undefined;
    let restarts = 0;
    for await (const message of two.phone.messages("notes")) {
      arrived.push(message.value as number);
      void message.done();
      // In the middle of what comes, and of what is said to be done; the next kill only after messages came again.
      if (arrived.length % 150 === 100 && restarting === undefined && restarts < 3) {
        restarts += 1;
        restarting = two.phoneDaemon.restart().finally(() => (restarting = undefined));
      }
      if (arrived.length === COUNT) break;
    }
    await sending;
    await restarting;
    assert.ok(restarts >= 2);
    assert.deepEqual(
      arrived,
      Array.from({ length: COUNT }, (_, place) => place),
    );
    // All of them are done for the daemon, too: the next message is the next one sent.
    await two.phoneDaemon.restart();
    await two.laptop.contact("phone").send("after", { service: "notes" });
    const { value: next } = await two.phone.messages("notes").next();
    assert.equal(next?.value, "after");
    await next.done();
  });

  test("a service goes on, and the followers of events are told", async () => {
    let restarted = 0;
    const events = two.phone.events([FEED_OPENED, "contact.renamed"], { restarted: () => (restarted += 1) });
    assert.equal((await events.next()).value?.kind, FEED_OPENED);
    const serving = await two.phone.serve("home", () => "here");
    assert.equal(await two.laptop.contact("phone").call("home"), "here");
    await two.phoneDaemon.restart();
    assert.equal((await events.next()).value?.kind, FEED_OPENED);
    assert.equal(restarted, 1);
    await two.phone.contact("laptop").rename("desk");
    assert.equal((await events.next()).value?.kind, "contact.renamed");
    await two.phone.contact("desk").rename("laptop");
    let answer: unknown;
    for (let attempt = 0; answer === undefined && attempt < 50; attempt++) {
      answer = await two.laptop
        .contact("phone")
        .call("home")
        .catch(() => new Promise((resolve) => setTimeout(resolve, 100)));
    }
    assert.equal(answer, "here");
    await serving.close();
    await events.return();
  });

  test("a stream is taken up again by both sides, at the byte", async () => {
    const data = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, place) => (place * 7) % 253));
    const writing = (async () => {
      let out = await two.laptop.contact("phone").stream("films", "long");
      for (;;) {
        try {
          while (out.written < data.length)
            await out.write(data.subarray(out.written, out.written + 100_000));
          if (!out.writingEnded) await out.closeWriting();
          await out.waitConfirmed(data.length); // what was written is safe only when that is known
          return out;
        } catch (error) {
          out = await again(out, error);
        }
      }
    })();
    let incoming = await two.phone.nextStream("films");
    const kept = Buffer.alloc(data.length);
    let restarts = 0;
    let restarting = Promise.resolve();
    while (incoming.position < data.length) {
      const start = incoming.position;
      try {
        const piece = await incoming.read();
        assert.ok(piece);
        kept.set(piece, start);
        await incoming.consumed();
        if (restarts === 0 && incoming.position > 500_000) {
          restarts = 1;
          restarting = two.phoneDaemon.restart();
        } else if (restarts === 1 && incoming.position > 1_500_000) {
          restarts = 2;
          await restarting;
          restarting = two.laptopDaemon.restart();
        }
      } catch (error) {
        incoming = await again(incoming, error);
      }
    }
    await restarting;
    assert.equal(restarts, 2);
    assert.ok(kept.equals(data));
    const out = await writing;
    await incoming.closeWriting();
    await Promise.all([incoming.waitDone(), out.waitDone()]);
  });

  test("requests wait for a daemon that restarts, and give up in the end", async () => {
    const restart = two.phoneDaemon.restart();
    assert.match((await two.phone.identity()).id, /^[0-9a-f]{24}$/);
    await restart;
    await two.phoneDaemon.kill();
    const waiting = two.phone.request("GET", "/v1/identity");
    two.phone.close();
    await assert.rejects(waiting, { code: "closed" });
  });
});

async function again(stream: Stream, error: unknown): Promise<Stream> {
  assert.ok(error instanceof P4Error && error.code === "connection-lost", String(error));
  return stream.reopen();
}

// Messages that are sent at a time: which requests become of them, and who gets which receipt or error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox, type Parcel } from "../src/client/outbox.js";
import { P4Error } from "../src/errors.js";

type Body = Record<string, unknown> & { values?: { value: unknown }[]; value?: unknown };

/** What a daemon would do, and how often it was asked. */
function daemon(refuse: (value: unknown) => P4Error | undefined = () => undefined) {
  const asked: [path: string, body: Body][] = [];
  const outbox = new Outbox(async (path, json) => {
    const body = JSON.parse(json) as Body;
    asked.push([path, body]);
    await new Promise((resolve) => setImmediate(resolve));
    const values = (body.values ?? [{ value: body.value }]).map(({ value }) => value);
    for (const value of values) {
      const error = refuse(value);
      if (error !== undefined) throw error;
    }
    return body.values === undefined ? values[0] : { receipts: values };
  });
  return { asked, outbox };
}

function parcel(value: unknown, more: Partial<Parcel> = {}): Parcel {
  return { value: `"value":${JSON.stringify(value)}`, members: "", ...more };
}

function refusal(code: string, status: number): P4Error {
  return new P4Error("It is refused.", { code, status });
}

test("one that is sent alone goes at once, and the others behind it together", async () => {
  const { asked, outbox } = daemon();
  assert.equal(await outbox.send("/c", "notes", parcel("first")), "first");
  assert.deepEqual(asked, [["/c", { service: "notes", value: "first" }]]);
  const numbers = Array.from({ length: 1200 }, (_, number) => number);
  const receipts = await Promise.all(numbers.map((number) => outbox.send("/c", "notes", parcel(number))));
  assert.deepEqual(receipts, numbers);
  assert.deepEqual(
    asked.slice(1).map(([path, { values }]) => [path, values?.length]),
    [500, 500, 200].map((count) => ["/c/batch", count]),
  );
});

test("what differs goes apart, in the order of the calls", async () => {
  const { asked, outbox } = daemon();
  const mortal = { members: '"ttl":5' };
  await Promise.all([
    outbox.send("/c", "notes", parcel(1)),
    outbox.send("/c", "notes", parcel(2, mortal)),
    outbox.send("/c", "notes", parcel(3, mortal)),
    outbox.send("/c", "notes", parcel(4, { members: '"latest":"a"', alone: true })),
    outbox.send("/c", "notes", parcel(5, { members: '"latest":"a"', alone: true })),
    outbox.send("/c", "notes", parcel("x".repeat(400_000))),
    outbox.send("/c", "notes", parcel("y".repeat(400_000))),
  ]);
  const [one, two, ...rest] = asked;
  assert.deepEqual(one, ["/c", { service: "notes", value: 1 }]);
  assert.deepEqual(two, ["/c/batch", { service: "notes", ttl: 5, values: [{ value: 2 }, { value: 3 }] }]);
  assert.deepEqual(
    rest.map(([path, body]) => [path, body["latest"] ?? String(body.value).slice(0, 1)]),
    [
      ["/c", "a"],
      ["/c", "a"],
      ["/c", "x"],
      ["/c", "y"],
    ],
  );
});

test("whoever comes at the last moment is not forgotten", { timeout: 10_000 }, async () => {
  const { outbox } = daemon();
  for (let hops = 0; hops < 12; hops++) {
    await outbox.send("/c", "notes", parcel("before"));
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    assert.equal(await outbox.send("/c", "notes", parcel(hops)), hops);
  }
});

test("contacts and services do not wait for each other", async () => {
  const { asked, outbox } = daemon();
  await Promise.all([
    outbox.send("/c", "notes", parcel(1)),
    outbox.send("/c", "other", parcel(2)),
    outbox.send("/d", "notes", parcel(3)),
  ]);
  assert.deepEqual(
    asked.map(([path, body]) => [path, body["service"], body.value]),
    [
      ["/c", "notes", 1],
      ["/c", "other", 2],
      ["/d", "notes", 3],
    ],
  );
});

test("a message that is refused takes no other with it", async () => {
  const { asked, outbox } = daemon((value) => (value === 37 ? refusal("too-large", 413) : undefined));
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  const outcomes = await Promise.allSettled(
    numbers.map((number) => outbox.send("/c", "notes", parcel(number))),
  );
  const failed = outcomes.flatMap((outcome, number) => (outcome.status === "rejected" ? [number] : []));
  assert.deepEqual(failed, [37]);
  assert.ok(asked.length < 20, String(asked.length));
  // None is sent after one that came later.
  const taken = asked.flatMap(([, { values, value }]) => values?.map((one) => one.value) ?? [value]);
  assert.deepEqual([...new Set(taken.slice(taken.lastIndexOf(0)))].slice(0, 3), [0, 1, 2]);
});

test("what may have been accepted is not sent again, and what waited is", async () => {
  let lost = refusal("connection-lost", 0);
  const { asked, outbox } = daemon((value) => (value === 1 ? lost : undefined));
  const attempt = async (): Promise<string[]> => {
    const first = [0, 1, 2].map((value) => outbox.send("/c", "notes", parcel(value)));
    for (const before = asked.length; asked.length === before;) await Promise.resolve(); // they are under way
    const outcomes = await Promise.allSettled([...first, outbox.send("/c", "notes", parcel(3))]);
    return outcomes.map(({ status }) => status);
  };
  const [bad, good] = ["rejected", "fulfilled"];
  assert.deepEqual(await attempt(), [bad, bad, bad, good]);
  assert.equal(asked.length, 2);
  // Where there is no daemon, nobody waits for it twice.
  lost = refusal("no-daemon", 0);
  assert.deepEqual(await attempt(), [bad, bad, bad, bad]);
  assert.equal(asked.length, 3);
});

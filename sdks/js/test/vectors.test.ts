// Every file of vectors/ that this package implements: the layer, the code and the value must be as it says.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromBase64, fromHex, toBase64, toHex, utf8 } from "../src/bytes.js";
import { canonicalText } from "../src/envelope/canonical.js";
import { Envelope, seal, sealAsync } from "../src/envelope/envelope.js";
import {
  decodeKey,
  Identity,
  isUsableKey,
  peerIdOf,
  verifySignature,
  verifySignatureAsync,
} from "../src/envelope/identity.js";
import { Invite } from "../src/envelope/invite.js";
import { parseObject } from "../src/envelope/json.js";
import { ReplayWindow } from "../src/envelope/replay.js";
import { P4Error } from "../src/errors.js";
import { browserCryptography } from "../src/platform/browser-cryptography.js";
import { nodeCryptography } from "../src/platform/node-cryptography.js";
import { useCryptography } from "../src/platform/platform.js";
import { REPOSITORY } from "./places.js";

const ROOT = join(REPOSITORY, "vectors");
/** Kinds of other parts of the project. A kind that is in neither list is a failure. */
const ELSEWHERE =
  "binding chat files frame lan pairing punch rotation sealed session signaling veiled verification x25519".split(
    " ",
  );
const JSON_CODES = "not-utf8 not-json not-object duplicate-key bad-number bad-string too-deep".split(" ");

/* eslint-disable @typescript-eslint/no-explicit-any -- vectors are data; a wrong form fails the test */
type Given = Record<string, any>;
type Outcome = [layer: string, code: string, value?: unknown];

function bytes(given: Given): Uint8Array {
  const { text, hex, zeros, ...rest } = given;
  assert.deepEqual(rest, {});
  const first = text === undefined ? fromHex(hex as string) : utf8(text as string);
  const whole = new Uint8Array(first.length + ((zeros as number | undefined) ?? 0));
  whole.set(first);
  return whole;
}

function codeOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof P4Error) return error.code;
    throw error;
  }
  return "ok";
}

const RUN: Record<string, { keys: string; run: (given: Given) => Outcome }> = {
  "identity derive": {
    keys: "seed_b64",
    run({ seed_b64 }) {
      const { publicKey, peerId } = new Identity(decodeKey(seed_b64));
      return ["identity", "ok", { public_key_b64: toBase64(publicKey), peer_id: peerId }];
    },
  },
  "identity key": {
    keys: "public_key_b64",
    run({ public_key_b64 }) {
      let key = new Uint8Array();
      const code = codeOf(() => (key = Uint8Array.from(decodeKey(public_key_b64))));
      if (code !== "ok" || !isUsableKey(key)) return ["identity", "bad-key"];
      return ["identity", "ok", { peer_id: peerIdOf(key) }];
    },
  },
  "identity verify": {
    keys: "public_key_b64 message_hex signature_b64",
    run({ public_key_b64, message_hex, signature_b64 }) {
      const good = verifySignature(
        decodeKey(public_key_b64),
        fromBase64(signature_b64),
        fromHex(message_hex),
      );
      return good ? ["identity", "ok", {}] : ["identity", "bad-signature"];
    },
  },
  "canonical parse": {
    keys: "bytes",
    run(given) {
      let canonical = "";
      const code = codeOf(() => (canonical = canonicalText(parseObject(bytes(given["bytes"])))));
      return ["json", code, { canonical }];
    },
  },
  "envelope verify": {
    keys: "line public_key_b64 me now_ms max_skew_ms",
    run({ line, public_key_b64, me, now_ms, max_skew_ms }) {
      let read: Envelope | undefined;
      const code = codeOf(() => (read = Envelope.parse(bytes(line))));
      if (code === "too-long") return ["line", code];
      if (read === undefined) return [JSON_CODES.includes(code) ? "json" : "form", code];
      const { verify } = { verify: read.verify.bind(read) };
      let value: unknown;
      const trust = codeOf(() => {
        const verified = verify(decodeKey(public_key_b64), { me, nowMs: now_ms, maxSkewMs: max_skew_ms });
        const { sender, timestampMs, nonceHex, payload } = verified;
        value = { sender, timestamp_ms: timestampMs, nonce_hex: nonceHex, payload };
      });
      return ["trust", trust, value];
    },
  },
  "replay steps": {
    keys: "capacity steps",
    run({ capacity, steps }) {
      let window = new ReplayWindow({ capacity });
      for (const [place, step] of (steps as Given[]).entries()) {
        if (step["restart"] === true) {
          window = new ReplayWindow(JSON.parse(JSON.stringify(window)) as ReplayWindow);
        } else if ("prune_now_ms" in step) window = window.prune(step["prune_now_ms"]);
        else {
          const code = codeOf(() => (window = window.accept(step["nonce_hex"], step["timestamp_ms"])));
          if (code !== "ok") {
            assert.equal(place, steps.length - 1, "only the last step may be refused");
            return ["replay", code];
          }
        }
      }
      return ["replay", "ok", { floor_ms: window.floorMs, entries: window.entries.length }];
    },
  },
  "invite parse": {
    keys: "bytes",
    run(given) {
      let invite: Invite | undefined;
      const code = codeOf(() => (invite = Invite.parse(bytes(given["bytes"]))));
      if (["too-large", "not-utf8"].includes(code)) return ["text", code];
      if (invite === undefined) return [JSON_CODES.includes(code) ? "json" : "invite", code];
      assert.deepEqual(Invite.parse(invite.toText()), invite);
      const { peer_id, public_key_b64, rendezvous } = invite.toJSON();
      return ["invite", "ok", { peer_id, public_key_b64, ...rendezvous }];
    },
  },
};
/* eslint-enable @typescript-eslint/no-explicit-any */

interface Vector {
  kind: string;
  operation: string;
  comment: string;
  input: Given;
  expect: { layer: string; code: string; value?: unknown };
}

function check(path: string, kind: string): void {
  const vector = JSON.parse(readFileSync(join(ROOT, path), "utf8")) as Vector;
  const known = ["kind", "operation", "comment", "input", "expect", "v1_deviates", "v1_looser"];
  assert.deepEqual(
    Object.keys(vector).filter((key) => !known.includes(key)),
    [],
  );
  assert.equal(vector.kind, kind);
  const operation = RUN[`${kind} ${vector.operation}`];
  assert.ok(operation, `unknown operation ${vector.operation}`);
  assert.deepEqual(Object.keys(vector.input).sort(), operation.keys.split(" ").sort());
  const { layer, code, value, ...rest } = vector.expect;
  assert.deepEqual(rest, {});
  assert.equal("value" in vector.expect, code === "ok");
  const [ourLayer, ourCode, ourValue] = operation.run(vector.input);
  assert.deepEqual([ourLayer, ourCode], [layer, code]);
  if (code === "ok") assert.deepEqual(ourValue, value);
}

const implemented = new Set(Object.keys(RUN).map((operation) => operation.split(" ")[0] ?? ""));
const kinds = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => ({ kind: entry.name, paths: readdirSync(join(ROOT, entry.name)) }))
  .map(({ kind, paths }) => ({ kind, paths: paths.filter((path) => path.endsWith(".json")) }))
  .filter(({ paths }) => paths.length > 0);

for (const [name, cryptography] of Object.entries({ node: nodeCryptography, browser: browserCryptography })) {
  describe(`vectors, cryptography of ${name}`, () => {
    for (const { kind, paths } of kinds) {
      if (implemented.has(kind)) {
        for (const path of paths) {
          test(`${kind}/${path}`, () => {
            useCryptography(cryptography);
            check(`${kind}/${path}`, kind);
          });
        }
      } else {
        const why = `${paths.length} vectors of another part of the project`;
        test(kind, { skip: ELSEWHERE.includes(kind) ? why : false }, () => {
          assert.fail(`no runner knows the kind ${kind}`);
        });
      }
    }
  });
}

test("what is sealed verifies, with either cryptography", () => {
  const all = [nodeCryptography, browserCryptography];
  for (const sealing of all) {
    for (const verifying of all) {
      useCryptography(sealing);
      const { identity } = Identity.generate();
      const me = Identity.generate().identity.peerId;
      const payload = { z: [1.5, "é😀", null], timestamp_ms: 1, ',"timestamp_ms":': true };
      const line = seal(identity, me, payload);
      useCryptography(verifying);
      assert.equal(line, canonicalText(parseObject(line)));
      const verified = Envelope.parse(line).verify(identity.publicKey, { me });
      assert.deepEqual(verified.payload, payload);
      assert.equal(toHex(fromHex(verified.nonceHex)), verified.nonceHex);
      const other = line.replace("1.5", "2.5");
      assert.throws(() => Envelope.parse(other).verify(identity.publicKey, { me }), {
        code: "bad-signature",
      });
    }
  }
});

test("what is sealed in the background verifies there, with either cryptography", async () => {
  const all = [nodeCryptography, browserCryptography];
  for (const sealing of all) {
    for (const verifying of all) {
      useCryptography(sealing);
      const { identity } = Identity.generate();
      const me = Identity.generate().identity.peerId;
      const choices = { timestampMs: Date.now(), nonce: new Uint8Array(16) };
      const line = await sealAsync(identity, me, { text: "é😀" }, choices);
      assert.equal(line, seal(identity, me, { text: "é😀" }, choices)); // Ed25519 signs a text in one way
      useCryptography(verifying);
      const verified = await Envelope.parse(line).verifyAsync(identity.publicKey, { me });
      assert.deepEqual(verified.payload, { text: "é😀" });
      const refused = (changed: string, key: Uint8Array, who: string): Promise<void> =>
        assert.rejects(Envelope.parse(changed).verifyAsync(key, { me: who }), { type: "EnvelopeError" });
      await refused(line.replace("é", "e"), identity.publicKey, me);
      await refused(line, identity.publicKey, identity.peerId);
      await refused(line, Identity.generate().identity.publicKey, me);
      // Anybody can sign for a key of small order: it proves nothing.
      const small = new Uint8Array(32);
      small[0] = 1;
      const forged = Uint8Array.from({ length: 64 }, (_, place) => (place === 0 ? 1 : 0));
      assert.equal(await verifySignatureAsync(small, forged, new Uint8Array(1)), false);
      assert.equal(verifySignature(small, forged, new Uint8Array(1)), false);
      assert.equal(
        await verifySignatureAsync(identity.publicKey, new Uint8Array(3), new Uint8Array(1)),
        false,
      );
    }
  }
  useCryptography(nodeCryptography);
});

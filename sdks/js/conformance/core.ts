// L2: what needs no daemon.
import { fromBase64, fromHex, toBase64, utf8 } from "../src/bytes.js";
import {
  canonicalText,
  decodeKey,
  encodeKey,
  Envelope,
  Identity,
  Invite,
  isUsableKey,
  type JsonObject,
  P4Error,
  parseObject,
  peerIdOf,
  ReplayWindow,
  seal,
  verifySignature,
} from "../src/index.js";
import type { Arguments, Operation, Result } from "./protocol.js";

interface Step {
  readonly restart?: boolean;
  readonly prune_now_ms?: number;
  readonly nonce_hex?: string;
  readonly timestamp_ms?: number;
}

function bytes(given: Arguments, key: string): Uint8Array {
  return fromBase64(given[key] as string);
}

function keyOf(given: Arguments, key = "public_key_b64"): Uint8Array {
  return decodeKey(given[key] as string);
}

function entryOf(identity: Identity): Result {
  return { public_key_b64: encodeKey(identity.publicKey), peer_id: identity.peerId };
}

function replay(given: Arguments): Result {
  const { capacity, steps } = given as { capacity: number; steps: Step[] };
  let window = new ReplayWindow({ capacity });
  for (const step of steps) {
    if (step.restart === true) window = new ReplayWindow(JSON.parse(JSON.stringify(window)) as ReplayWindow);
    else if (step.prune_now_ms !== undefined) window = window.prune(step.prune_now_ms);
    else window = window.accept(step.nonce_hex ?? "", step.timestamp_ms ?? NaN);
  }
  return { floor_ms: window.floorMs, entries: window.entries.length };
}

export const coreOperations: Record<string, Operation> = {
  "identity.derive": (given) => entryOf(new Identity(keyOf(given, "seed_b64"))),
  "identity.key"(given) {
    const key = keyOf(given);
    if (!isUsableKey(key)) throw new P4Error("This is not a safe key.", { code: "bad-key" });
    return { peer_id: peerIdOf(key) };
  },
  "identity.verify"(given) {
    const good = verifySignature(
      keyOf(given),
      bytes(given, "signature_b64"),
      fromHex(given["message_hex"] as string),
    );
    if (!good) throw new P4Error("The signature is not that of the key.", { code: "bad-signature" });
    return {};
  },
  "identity.generate"() {
    const { identity, seed } = Identity.generate();
    return { seed_b64: encodeKey(seed), ...entryOf(identity) };
  },
  "identity.sign"(given) {
    const identity = new Identity(keyOf(given, "seed_b64"));
    return { signature_b64: toBase64(identity.sign(fromHex(given["message_hex"] as string))) };
  },
  "canonical.parse": (given) => ({ canonical: canonicalText(parseObject(bytes(given, "bytes_b64"))) }),
  "envelope.verify"(given) {
    const verified = Envelope.parse(bytes(given, "line_b64")).verify(keyOf(given), {
      me: given["me"] as string,
      nowMs: given["now_ms"] as number,
      maxSkewMs: given["max_skew_ms"] as number,
    });
    const { sender, timestampMs, nonceHex, payload } = verified;
    return { sender, timestamp_ms: timestampMs, nonce_hex: nonceHex, payload };
  },
  "envelope.seal"(given) {
    const identity = new Identity(keyOf(given, "seed_b64"));
    const line = seal(identity, given["recipient"] as string, given["payload"] as JsonObject, {
      timestampMs: given["now_ms"] as number,
      nonce: fromHex(given["nonce_hex"] as string),
    });
    return { line_b64: toBase64(utf8(line)) };
  },
  "replay.steps": replay,
  "invite.parse"(given) {
    const invite = Invite.parse(bytes(given, "bytes_b64"));
    const { transport, address, port } = invite.rendezvous;
    const key = encodeKey(invite.publicKey);
    return { peer_id: invite.peerId, public_key_b64: key, transport, address, port };
  },
  "invite.write"(given) {
    const { transport, address, port } = given as Invite["rendezvous"];
    return { text: new Invite(keyOf(given), { transport, address, port }).toText() };
  },
};

import { fromUtf8, toBase64 } from "../bytes.js";
import { P4Error } from "../errors.js";
import { isHost, isOnion } from "./address.js";
import { decodeKey, isUsableKey, peerIdOf } from "./identity.js";
import { isInteger, isJsonObject, isWellFormed, type JsonObject, member, parseObject } from "./json.js";

/** Longest invite that is read, in bytes; a real one has about 300. */
const INVITE_BYTES = 16 * 1024;
// The byte order mark counts as white space: it may be pasted along.
const AROUND = "[\\ufeff \\t\\r\\n\\v\\f\\u00a0]+";
const SPACE = new RegExp(`^${AROUND}|${AROUND}$`, "g");

/** The kinds of rendezvous that an invite can name. */
export type InviteTransport = "onion" | "direct";

/** Where the signaling of a peer answers. */
export interface Rendezvous {
  readonly transport: InviteTransport;
  /** Onion address, IP address without brackets, or host name. */
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** What one person gives another so that their devices find each other, of version 1 (spec/invite.md). No secret. */
export class Invite {
  /** The id that belongs to the key. */
  readonly peerId: string;

  /**
   * @param publicKey - raw 32-byte Ed25519 key.
   * @throws P4Error - `bad-key`, `bad-transport`, `bad-port` or `bad-address`.
   */
  constructor(
    readonly publicKey: Uint8Array,
    readonly rendezvous: Rendezvous,
  ) {
    if (!isUsableKey(publicKey))
      throw refusal("The key of the invite is not a safe Ed25519 public key.", "bad-key");
    const { transport, address, port } = rendezvous;
    if (!["onion", "direct"].includes(transport)) {
      throw refusal(
        "The invite names a transport that this program does not know. Update it.",
        "bad-transport",
      );
    }
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw refusal("The port of the invite is not between 1 and 65535.", "bad-port");
    }
    if (!(transport === "onion" ? isOnion(address) : isHost(address))) {
      throw refusal(`The invite holds no valid ${transport} address.`, "bad-address");
    }
    this.peerId = peerIdOf(publicKey);
  }

  /**
   * Read an invite from a file or from pasted text.
   *
   * @param data - a text, or bytes in UTF-8 or UTF-16, with or without byte order mark.
   * @throws P4Error - `too-large`, `not-utf8`, a code of {@link parseObject}, `missing-field`, `bad-field`,
   *   `bad-key`, `wrong-id`, `bad-transport`, `bad-port` or `bad-address`.
   */
  static parse(data: Uint8Array | string): Invite {
    if (data.length > INVITE_BYTES) {
      throw refusal("This is too long for an invite. Check that it is the right file.", "too-large");
    }
    const text = typeof data === "string" ? data : decodeText(data);
    if (!isWellFormed(text)) throw refusal("The text has characters that cannot be read.", "bad-string");
    return Invite.fromObject(parseObject(text.replace(SPACE, ""), "InviteError"));
  }

  /** Check the JSON object of an invite, as {@link parse} from `missing-field` on. Unknown keys are ignored. */
  static fromObject(fields: JsonObject): Invite {
    const peerId = textOf(fields, "peer_id");
    const encoded = textOf(fields, "public_key_b64");
    const rendezvous = valueOf(fields, "rendezvous");
    if (!isJsonObject(rendezvous))
      throw refusal("The rendezvous of the invite is not an object.", "bad-field");
    let publicKey: Uint8Array;
    try {
      publicKey = decodeKey(encoded);
    } catch (error) {
      throw new P4Error("The key of the invite cannot be read.", {
        code: "bad-key",
        type: "InviteError",
        cause: error,
      });
    }
    if (!isUsableKey(publicKey))
      throw refusal("The key of the invite is not a safe Ed25519 public key.", "bad-key");
    if (peerId !== peerIdOf(publicKey)) {
      throw refusal(
        "The peer id of the invite does not belong to its key. Somebody changed it on the way, or it was copied in " +
          "part. Ask for it again over another way.",
        "wrong-id",
      );
    }
    const transport = textOf(rendezvous, "transport") as InviteTransport;
    const address = textOf(rendezvous, "address");
    const port = valueOf(rendezvous, "port");
    const known = ["onion", "direct"].includes(transport);
    if (known && !isInteger(rendezvous, "port")) {
      throw refusal("The port of the invite is not a whole number.", "bad-port");
    }
    return new Invite(publicKey, { transport, address, port: port as number });
  }

  /** The JSON object, keys in version 1's order. */
  toJSON(): { peer_id: string; public_key_b64: string; rendezvous: Rendezvous } {
    const { transport, address, port } = this.rendezvous;
    return {
      peer_id: this.peerId,
      public_key_b64: toBase64(this.publicKey),
      rendezvous: { transport, address, port },
    };
  }

  /** The invite as indented JSON without a final line end, as version 1 prints it. */
  toText(): string {
    return JSON.stringify(this, null, 2);
  }
}

/** Windows shells redirect into UTF-16, some editors put a mark before UTF-8. */
function decodeText(data: Uint8Array): string {
  const [first, second] = data;
  let encoding = "utf-8";
  // An invite begins with an ASCII character, so a zero byte beside it gives UTF-16 away.
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== undefined)) encoding = "utf-16be";
  else if ((first === 0xff && second === 0xfe) || second === 0) encoding = "utf-16le";
  try {
    if (encoding === "utf-8") return fromUtf8(data);
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(data);
  } catch (error) {
    throw new P4Error("The file is neither UTF-8 nor UTF-16 text.", {
      code: "not-utf8",
      type: "InviteError",
      cause: error,
    });
  }
}

function valueOf(fields: JsonObject, key: string): unknown {
  const value = member(fields, key);
  if (value === undefined) {
    throw refusal(`The invite has no ${key}. It may be copied in part.`, "missing-field");
  }
  return value;
}

function textOf(fields: JsonObject, key: string): string {
  const value = valueOf(fields, key);
  if (typeof value !== "string") throw refusal(`The ${key} of the invite is not a string.`, "bad-field");
  return value;
}

function refusal(message: string, code: string): P4Error {
  return new P4Error(message, { code, type: "InviteError" });
}

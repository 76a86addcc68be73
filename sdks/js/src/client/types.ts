/** What the daemon tells. Times are Unix milliseconds, lengths of time seconds. A test compares with the API. */

/** Who a contact is. */
export interface ContactName {
  readonly id: string;
  /** As the user calls it; may be empty. */
  readonly name: string;
}

/** Which way a link goes. */
export interface LinkPath {
  readonly kind: string;
  readonly local: string;
  readonly remote: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly protocol: string;
  /** Seconds. */
  readonly roundTrip: number | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** A contact and how it is at the moment. */
export interface ContactStatus extends ContactName {
  readonly connected: boolean;
  readonly state: string;
  readonly protocol: number;
  /** `direct`, `relay-only` or `lan-only`. */
  readonly policy: string;
  /** The services of this device that it may use. */
  readonly grants: readonly string[];
  readonly path: LinkPath | null;
  /** Seconds. */
  readonly roundTrip: number | null;
  /** Bytes a second. */
  readonly sending: number | null;
  readonly receiving: number | null;
  readonly queuedMessages: number;
  readonly queuedBytes: number | null;
  readonly openStreams: number;
  /** 0 for never. */
  readonly lastSeenMs: number;
  /** Why there is no link, in a sentence. */
  readonly whyNot: string;
  readonly nextAttemptMs: number | null;
  readonly lanes: string;
  /** `no`, `verified` or `verified-before-rotation`. */
  readonly verification: string;
  readonly blocked: boolean;
}

/** Who this device is. */
export interface DeviceIdentity {
  readonly id: string;
  /** As the device calls itself towards those whom it meets. */
  readonly name: string;
  /** Raw Ed25519 key in base64. */
  readonly publicKey: string;
  readonly protocolVersion: number;
}

/** The whole node at one moment. */
export interface DeviceStatus {
  readonly id: string;
  readonly momentMs: number;
  readonly startedMs: number;
  /** Process id of the daemon. */
  readonly pid: number;
  readonly stateDirectory: string;
  readonly reachable: boolean;
  readonly reachability: string;
  readonly checkedMs: number | null;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly localAddresses: readonly string[];
  readonly mappings: readonly string[];
  readonly lan: boolean;
  readonly versions: Readonly<Record<string, string>>;
  readonly contacts: readonly ContactStatus[];
}

/** Forms of an invite. */
export type InviteKind = "link" | "words" | "local-words";

/** An invite of this device at one moment. */
export interface DeviceInvite {
  readonly id: string;
  readonly kind: InviteKind;
  /** The link or the words, secret; empty once it has ended. */
  readonly text: string;
  readonly name: string;
  readonly createdMs: number;
  readonly expiresAtMs: number;
  /** `open`, `claimed`, `paired`, or the code of why it ended. */
  readonly state: string;
  /** Whether a guest would find the device now. */
  readonly findable: boolean;
  /** Why it ended, in sentences. */
  readonly message: string;
  /** Who is paired by it. */
  readonly contact: ContactName | null;
}

/** A token of an app, but for its secret. */
export interface TokenRecord {
  readonly id: string;
  readonly app: string;
  /** Each covers all below it; null for all. */
  readonly services: readonly string[] | null;
  /** Ids; null for all. */
  readonly contacts: readonly string[] | null;
  readonly createdMs: number;
  /** Null for never. */
  readonly expiresMs: number | null;
}

/** A token that was just made. */
export interface NewToken extends TokenRecord {
  /** The secret, told this once. */
  readonly token: string;
}

/** A link that logs one browser in, once. */
export interface WebLogin {
  readonly url: string;
  readonly expiresMs: number;
}

/** Who uses a service in this daemon. */
export interface ServiceUse {
  readonly service: string;
  readonly servesCalls: boolean;
  /** How many read its messages. */
  readonly readsMessages: number;
  /** How many wait for its streams. */
  readonly acceptsStreams: number;
}

/** What is wrong, and what to do. */
export interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly {
    readonly subject: string;
    readonly level: string;
    readonly text: string;
    readonly advice: string;
  }[];
}

/** What two people compare. */
export interface Verification {
  readonly contact: ContactName;
  /** Six; the contact's device shows the same for this device. */
  readonly words: readonly string[];
  /** For which the words are, base64. */
  readonly publicKey: string;
  /** `no`, `verified` or `verified-before-rotation`. */
  readonly verification: string;
  readonly blocked: boolean;
}

/** Where the last change of this device's key stands. */
export interface Rotation {
  /** The id that follows from the key of today. */
  readonly id: string;
  readonly publicKey: string;
  readonly rotations: number;
  /** Contacts that have not confirmed it. */
  readonly waiting: readonly ContactName[];
  /** Former private keys that are kept for these. */
  readonly keptKeys: number;
}

/** A file that a line of chat speaks of. */
export interface ChatFile {
  readonly name: string;
  readonly size: number;
  readonly transfer: string;
}

/** One entry of a chat's history. Its text is a stranger's. */
export interface ChatLine {
  /** Its place, rising. */
  readonly id: string;
  /** The same on both devices. */
  readonly messageId: string;
  readonly mine: boolean;
  /** `text`, `file`, `data` or `unreadable`. */
  readonly kind: string;
  readonly text: string;
  readonly file: ChatFile | null;
  /** By its sender's clock. */
  readonly sentMs: number;
  readonly keptMs: number;
  /** `sending`, `queued`, `delivered`, `consumed`, `seen`, `failed`; for the contact's `received`. */
  readonly state: string;
  /** Why it failed. */
  readonly reason: string;
}

/** A part of a history, oldest first. */
export interface ChatPage {
  readonly entries: readonly ChatLine[];
  /** For the page before this one; null if there is none. */
  readonly before: string | null;
  readonly unread: number;
}

/** A contact's history in short. */
export interface ChatConversation {
  readonly contact: ContactName;
  readonly connected: boolean;
  readonly unread: number;
  readonly last: ChatLine | null;
}

/** Something that happened in the daemon (spec/daemon-api, "Events"). */
export interface DaemonEvent {
  /** Such as `link.up`: a subject, a dot, what happened. */
  readonly kind: string;
  /** What it is about; its parts depend on the kind. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the package offers everywhere. */
export { CallFailed, type ErrorDetails, P4Error } from "./errors.js";

export { Chat } from "./client/chat.js";
export { Client, type EventsOptions } from "./client/client.js";
export { FEED_OPENED, JsonSocket, type ListenOptions, type RequestOptions } from "./client/connection.js";
export { type CallOptions, Contact, type SendOptions } from "./client/contact.js";
export { type Datagram, Datagrams } from "./client/datagrams.js";
export { Message, Messages, type MessagesOptions } from "./client/messages.js";
export { Pairing } from "./client/pairing.js";
export { ChatReceipt, Receipt, type WaitOptions } from "./client/receipts.js";
export { type Handler, type IncomingCall, Serving } from "./client/serving.js";
export type { ServerSentEvent } from "./client/sse.js";
export { Stream } from "./client/streams.js";
export type * from "./client/types.js";
export { type Parameters, quoted, type Value } from "./client/values.js";

export { canonicalText } from "./envelope/canonical.js";
export {
  Envelope,
  type Expected,
  seal,
  sealAsync,
  type SealChoices,
  type Verified,
} from "./envelope/envelope.js";
export {
  decodeKey,
  encodeKey,
  Identity,
  isPeerId,
  isUsableKey,
  peerIdOf,
  verifySignature,
  verifySignatureAsync,
} from "./envelope/identity.js";
export { Invite, type InviteTransport, type Rendezvous } from "./envelope/invite.js";
export { type Json, type JsonObject, parseObject } from "./envelope/json.js";
export { MAX_SKEW_MS, type ReplayEntry, ReplayWindow } from "./envelope/replay.js";

// L1: what lives on between requests: subscriptions, served calls, streams, datagrams, events.
import { fromBase64, toBase64 } from "../src/bytes.js";
import {
  CallFailed,
  type DaemonEvent,
  type Datagram,
  type Datagrams,
  FEED_OPENED,
  type IncomingCall,
  type Message,
  type Messages,
  type Serving,
  type Stream,
  type Value,
} from "../src/index.js";
import type { Device } from "./device.js";
import { type Arguments, atMost, contactEntry, Following, members, type Operation } from "./protocol.js";
import { within } from "./protocol.js";

/** Things by their handles. */
class Handles<Thing> {
  readonly #things = new Map<string, Thing>();

  constructor(readonly kind: string) {}

  set(given: Arguments, thing: Thing): void {
    this.#things.set(given[this.kind] as string, thing);
  }

  get(given: Arguments): Thing {
    const thing = this.#things.get(given[this.kind] as string);
    if (thing === undefined) throw new Error(`no such ${this.kind}`);
    return thing;
  }

  take(given: Arguments): Thing {
    const thing = this.get(given);
    this.#things.delete(given[this.kind] as string);
    return thing;
  }
}

/** A stream, and what was read of it and not asked for yet. */
class HeldStream {
  #rest = Buffer.alloc(0);

  constructor(public stream: Stream) {}

  get position(): number {
    return this.stream.position - this.#rest.length;
  }

  /** Reads so many bytes. What was read when the time was over is there for the next request. */
  async read(length: number, seconds: number): Promise<{ bytes: Uint8Array; atEnd: boolean }> {
    const until = Date.now() + seconds * 1000;
    let atEnd = false;
    while (this.#rest.length < length && !atEnd) {
      this.#reading ??= this.stream.read();
      const piece = await atMost(Math.max(0, until - Date.now()) / 1000, this.#reading).catch(
        (error: unknown) => {
          if ((error as { code?: string }).code !== "timeout") this.#reading = undefined;
          throw error;
        },
      );
      this.#reading = undefined;
      if (piece === undefined) atEnd = true;
      else this.#rest = Buffer.concat([this.#rest, piece]);
    }
    const bytes = Uint8Array.from(this.#rest.subarray(0, length));
    this.#rest = this.#rest.subarray(bytes.length);
    await this.stream.consumed(this.position, { knowsEnd: atEnd });
    return { bytes, atEnd };
  }

  async resume(): Promise<void> {
    this.stream = await this.stream.reopen();
    this.#rest = Buffer.alloc(0);
    this.#reading = undefined;
  }

  #reading: Promise<Uint8Array | undefined> | undefined;
}

/** A served service, and the calls that were cancelled and not told of yet. */
class Served {
  serving: Serving | undefined;
  #cancelled = 0;
  #wake: () => void = () => undefined;

  readonly answer = async (call: IncomingCall): Promise<Value> => {
    switch (call.service.split(".").at(-1)) {
      case "echo":
        return call.argument;
      case "who":
        return call.contact.name;
      case "fail":
        throw new CallFailed("too-hot", "It burns.", { degrees: 99 });
      case "slow":
        await new Promise((resolve) => {
          call.signal.addEventListener("abort", resolve);
        });
        this.#cancelled += 1;
        this.#wake();
        return null;
      default:
        throw new TypeError("private");
    }
  };

  async cancelled(): Promise<void> {
    while (this.#cancelled === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#cancelled -= 1;
  }
}

export class Channels {
  readonly #device: Device;
  readonly #messages = new Handles<{
    messages: Messages;
    following: Following<Message>;
    taken: Map<string, Message>;
  }>("messages");
  readonly #serving = new Handles<Served>("serving");
  readonly #streams = new Handles<HeldStream>("stream");
  readonly #datagrams = new Handles<{ datagrams: Datagrams; following: Following<Datagram> }>("datagrams");
  readonly #events = new Handles<{ ending: AbortController; following: Following<DaemonEvent> }>("events");

  constructor(device: Device) {
    this.#device = device;
  }

  #stream(given: Arguments): Stream {
    return this.#streams.get(given).stream;
  }

  readonly operations: Record<string, Operation> = {
    "messages.open": (given) => {
      const { service, contact } = given as { service: string; contact?: string };
      const messages = this.#device.client(given).messages(service, contact === undefined ? {} : { contact });
      this.#messages.set(given, { messages, following: new Following(messages), taken: new Map() });
      return {};
    },
    "messages.next": async (given) => {
      const { following, taken } = this.#messages.get(given);
      const message = await following.next(given["timeout_seconds"] as number);
      const { contact, id, service, key, value } = message;
      taken.set(`${contact.id} ${id}`, message);
      return { contact: contactEntry(contact), id, service, key, ...members(value) };
    },
    "messages.done": async (given) => {
      const { contact_id, message_id } = given as { contact_id: string; message_id: string };
      await this.#messages.get(given).taken.get(`${contact_id} ${message_id}`)?.done();
      return {};
    },
    "messages.close": async (given) => {
      await this.#messages.take(given).messages.close();
      return {};
    },

    "serving.open": async (given) => {
      const served = new Served();
      served.serving = await this.#device.client(given).serve(given["service"] as string, served.answer);
      this.#serving.set(given, served);
      return {};
    },
    "serving.cancelled": async (given) => {
      await atMost(given["timeout_seconds"] as number, this.#serving.get(given).cancelled());
      return {};
    },
    "serving.close": async (given) => {
      await this.#serving.take(given).serving?.close();
      return {};
    },

    "stream.open": async (given) => {
      const { contact, service, name } = given as { contact: string; service: string; name: string };
      const stream = await this.#device.client(given).contact(contact).stream(service, name);
      this.#streams.set(given, new HeldStream(stream));
      return { id: stream.id, written: stream.written, position: stream.position };
    },
    "stream.accept": async (given) => {
      const { service, contact } = given as { service: string; contact?: string };
      const from = contact === undefined ? {} : { contact };
      const stream = await within(given["timeout_seconds"] as number, (signal) =>
        this.#device.client(given).nextStream(service, { ...from, signal }),
      );
      this.#streams.set(given, new HeldStream(stream));
      const { id, name, written, position } = stream;
      return { id, contact: contactEntry(stream.contact), name, written, position };
    },
    "stream.write": async (given) => {
      await this.#stream(given).write(fromBase64(given["bytes_b64"] as string));
      return {};
    },
    "stream.flush": async (given) => {
      const stream = this.#stream(given);
      await stream.flush();
      return { written: stream.written };
    },
    "stream.end": async (given) => {
      await this.#stream(given).closeWriting();
      return {};
    },
    "stream.read": async (given) => {
      const { length, timeout_seconds } = given as { length: number; timeout_seconds: number };
      const { bytes, atEnd } = await this.#streams.get(given).read(length, timeout_seconds);
      return { bytes_b64: toBase64(bytes), at_end: atEnd };
    },
    "stream.resume": async (given) => {
      const held = this.#streams.get(given);
      await held.resume();
      return { written: held.stream.written, position: held.stream.position };
    },
    "stream.confirmed": async (given) => {
      const { offset, timeout_seconds } = given as { offset: number; timeout_seconds: number };
      await atMost(timeout_seconds, this.#stream(given).waitConfirmed(offset));
      return {};
    },
    "stream.done": async (given) => {
      await atMost(given["timeout_seconds"] as number, this.#stream(given).waitDone());
      return {};
    },
    "stream.reset": async (given) => {
      await this.#stream(given).reset(given["reason"] as string);
      return {};
    },
    "stream.detach": (given) => {
      this.#streams.take(given).stream.detach();
      return {};
    },

    "datagrams.open": async (given) => {
      const datagrams = await this.#device.client(given).datagrams(given["service"] as string);
      this.#datagrams.set(given, { datagrams, following: new Following(datagrams) });
      return {};
    },
    "datagrams.send": async (given) => {
      const { contact, bytes_b64 } = given as { contact: string; bytes_b64: string };
      await this.#datagrams.get(given).datagrams.send(contact, fromBase64(bytes_b64));
      return {};
    },
    "datagrams.next": async (given) => {
      const { contact, data } = await this.#datagrams
        .get(given)
        .following.next(given["timeout_seconds"] as number);
      return { contact: contactEntry(contact), bytes_b64: toBase64(data) };
    },
    "datagrams.close": (given) => {
      this.#datagrams.take(given).datagrams.close();
      return {};
    },

    "events.open": async (given) => {
      const ending = new AbortController();
      const kinds = [FEED_OPENED, ...(given["types"] as string[])];
      const events = this.#device.client(given).events(kinds, { signal: ending.signal });
      const following = new Following(events);
      const first = await following.next(30);
      if (first.kind !== FEED_OPENED) throw new Error(`the first event is ${first.kind}`);
      this.#events.set(given, { ending, following });
      return {};
    },
    "events.next": async (given) => {
      const { following } = this.#events.get(given);
      for (;;) {
        const event = await following.next(given["timeout_seconds"] as number);
        if (event.kind !== FEED_OPENED) return { type: event.kind, data: event.data };
      }
    },
    "events.close": (given) => {
      this.#events.take(given).ending.abort();
      return {};
    },
  };
}

import { P4Error } from "../errors.js";

/** Accepted difference of clocks in milliseconds, either way: 24 hours. */
export const MAX_SKEW_MS = 24 * 60 * 60 * 1000;

/** An accepted envelope: its time, and its nonce in hex. */
export interface ReplayEntry {
  readonly timestampMs: number;
  readonly nonceHex: string;
}

/**
 * Which envelopes of one sender were accepted (spec/envelope.md, "Replay"). Immutable; put the new one on disk
 * before you act on an envelope.
 */
export class ReplayWindow {
  /** Everything with this time or an older one is refused. */
  readonly floorMs: number;
  /** Accepted envelopes above the floor, oldest first. */
  readonly entries: readonly ReplayEntry[];
  /** Most entries that are kept. */
  readonly capacity: number;
  readonly #nonces: ReadonlySet<string>;

  /** A window as it was kept; without arguments an empty one. */
  constructor(kept: { floorMs?: number; entries?: readonly ReplayEntry[]; capacity?: number } = {}) {
    const { floorMs = 0, capacity = 4096 } = kept;
    let floor = floorMs;
    // What comes from a disk is brought into order rather than trusted.
    let entries = (kept.entries ?? []).filter((entry) => entry.timestampMs > floor).sort(older);
    const newestToGo = entries[entries.length - capacity - 1];
    if (newestToGo !== undefined) {
      floor = newestToGo.timestampMs;
      entries = entries.slice(-capacity || entries.length).filter((entry) => entry.timestampMs > floor);
    }
    this.floorMs = floor;
    this.entries = entries;
    this.capacity = capacity;
    this.#nonces = new Set(entries.map((entry) => entry.nonceHex));
  }

  /**
   * The window after accepting an envelope, in whatever order envelopes arrive.
   *
   * @throws P4Error - `replayed`: accepted before, or too old to tell.
   */
  accept(nonceHex: string, timestampMs: number): ReplayWindow {
    if (timestampMs <= this.floorMs) throw replayed("The envelope is older than what we remember.");
    if (this.#nonces.has(nonceHex)) throw replayed("The envelope was received before.");
    return this.#with(this.floorMs, [...this.entries, { timestampMs, nonceHex }]);
  }

  /** Forget entries that are more than 24 hours old, and raise the floor to the newest of them. */
  prune(nowMs: number): ReplayWindow {
    const gone = this.entries.filter((entry) => entry.timestampMs < nowMs - MAX_SKEW_MS).at(-1);
    return gone === undefined ? this : this.#with(gone.timestampMs, this.entries);
  }

  #with(floorMs: number, entries: readonly ReplayEntry[]): ReplayWindow {
    return new ReplayWindow({ floorMs, entries, capacity: this.capacity });
  }
}

function older(one: ReplayEntry, other: ReplayEntry): number {
  return one.timestampMs - other.timestampMs || (one.nonceHex < other.nonceHex ? -1 : 1);
}

function replayed(message: string): P4Error {
  return new P4Error(message, { code: "replayed", type: "EnvelopeError" });
}

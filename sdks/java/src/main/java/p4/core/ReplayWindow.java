package p4.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import p4.P4Exception;

/**
 * Which envelopes of one sender were accepted (spec/envelope.md, Replay). Immutable: store the new window before
 * acting on an envelope.
 *
 * <p>Whatever was accepted once is refused for ever: its nonce is among the entries, or its time is not above the
 * floor. The floor rises to times of accepted envelopes only, never to one that our own clock gave.
 */
public final class ReplayWindow {
    /** Most entries kept unless chosen otherwise. */
    public static final int CAPACITY = 4096;

    private final long floorMs;
    private final List<Entry> entries;
    private final int capacity;

    /**
     * An accepted envelope above the floor.
     *
     * @param timestampMs its time, Unix milliseconds
     * @param nonce its 16 bytes
     */
    public record Entry(long timestampMs, byte[] nonce) {}

    /** The window of a sender of whom nothing was accepted yet. */
    public ReplayWindow() {
        this(0, List.of(), CAPACITY);
    }

    /**
     * A window as it was stored; brought into order rather than trusted.
     *
     * @param floorMs everything with this time or an older one is refused
     * @param entries of accepted envelopes
     * @param capacity most entries kept
     */
    public ReplayWindow(long floorMs, List<Entry> entries, int capacity) {
        long floor = floorMs;
        List<Entry> kept = new ArrayList<>(entries);
        kept.sort(Comparator.comparingLong(Entry::timestampMs)
                .thenComparing(Entry::nonce, Arrays::compareUnsigned));
        long given = floor;
        kept.removeIf(entry -> entry.timestampMs() <= given);
        int excess = kept.size() - capacity;
        if (excess > 0) {
            long raised = kept.get(excess - 1).timestampMs();
            kept.removeIf(entry -> entry.timestampMs() <= raised);
            floor = raised;
        }
        this.floorMs = floor;
        this.entries = List.copyOf(kept);
        this.capacity = capacity;
    }

    /**
     * The window after accepting an envelope, in whatever order envelopes arrive.
     *
     * @param nonce the envelope's
     * @param timestampMs the envelope's, Unix milliseconds
     * @return the new window
     * @throws P4Exception {@code replayed}: accepted before, or too old to tell
     */
    public ReplayWindow accept(byte[] nonce, long timestampMs) {
        if (timestampMs <= floorMs) {
            throw new P4Exception("replayed", "The envelope is older than what we remember.");
        }
        for (Entry entry : entries) {
            if (Arrays.equals(entry.nonce(), nonce)) {
                throw new P4Exception("replayed", "The envelope was received before.");
            }
        }
        List<Entry> more = new ArrayList<>(entries);
        more.add(new Entry(timestampMs, nonce.clone()));
        return new ReplayWindow(floorMs, more, capacity);
    }

    /**
     * Forgets entries too old to be accepted by time anyway; the floor rises to the newest of them.
     *
     * @param nowMs Unix time in milliseconds
     * @return the new window
     */
    public ReplayWindow prune(long nowMs) {
        long oldest = nowMs - Envelope.MAX_SKEW_MS;
        long floor = floorMs;
        for (Entry entry : entries) {
            if (entry.timestampMs() < oldest) {
                floor = Math.max(floor, entry.timestampMs());
            }
        }
        return new ReplayWindow(floor, entries, capacity);
    }

    /**
     * The floor, to be stored.
     *
     * @return Unix milliseconds
     */
    public long floorMs() {
        return floorMs;
    }

    /**
     * The entries, to be stored.
     *
     * @return oldest first
     */
    public List<Entry> entries() {
        return entries;
    }
}

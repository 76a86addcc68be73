package p4.client;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/** Our bytes of a stream that the daemon may not have yet, with their offsets. Its user holds a lock. */
final class OutgoingBytes {
    private final Deque<byte[]> kept = new ArrayDeque<>();
    private long from;
    private long written;
    private long sent;

    /** Nothing is kept: the program goes on where the daemon is. */
    void begin(long offset) {
        from = written = sent = offset;
    }

    /** Whether another connection can go on at an offset. */
    boolean covers(long offset) {
        return from <= offset && offset <= written;
    }

    /** Another connection goes on at an offset. */
    void sendFrom(long offset) {
        stored(offset);
        sent = offset;
    }

    void add(byte[] piece) {
        kept.add(piece);
        written += piece.length;
    }

    /** The daemon has all before an offset. */
    void stored(long through) {
        while (!kept.isEmpty() && from + kept.peekFirst().length <= through) {
            from += kept.removeFirst().length;
        }
    }

    boolean hasUnsent() {
        return sent < written;
    }

    /** What is to be sent next, at most one piece; it counts as sent. */
    byte[] next() {
        long offset = from;
        for (byte[] piece : kept) {
            if (offset + piece.length > sent) {
                byte[] rest = Arrays.copyOfRange(piece, (int) (sent - offset), piece.length);
                sent += rest.length;
                return rest;
            }
            offset += piece.length;
        }
        throw new IllegalStateException("nothing is kept at " + sent);
    }

    long written() {
        return written;
    }

    /** How many bytes the daemon is not known to have. */
    long ahead() {
        return written - from;
    }
}

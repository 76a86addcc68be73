package p4.client;

import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import p4.P4Exception;

/**
 * A byte stream with a contact, which outlives links and restarts (spec/daemon-api, "Streams").
 *
 * <p>When the daemon restarts, the stream goes on by itself: bytes of ours that the daemon had not taken are sent
 * again, and those of the contact that the program has already are passed over. {@link #close} lets go of the stream
 * without ending it: it can be opened again, also by the next run of the program, and goes on at {@link #written} and
 * {@link #position}. To end it, close {@link #output} and read {@link #input} to its end, or call {@link #leave}.
 *
 * <p>One thread may read while another writes.
 */
public final class Stream implements AutoCloseable {
    private final StreamLink link;
    private final StreamInput input;
    private final StreamOutput output;

    Stream(StreamLink link) {
        this.link = link;
        this.input = new StreamInput(link);
        this.output = new StreamOutput(link);
    }

    /**
     * Names the stream in this daemon.
     *
     * @return 16 hex digits
     */
    public String id() {
        return link.id();
    }

    /**
     * With whom it is.
     *
     * @return the contact
     */
    public ContactName contact() {
        return link.contact();
    }

    /**
     * To which service it goes.
     *
     * @return its name
     */
    public String service() {
        return link.service();
    }

    /**
     * The name that its opener gave it.
     *
     * @return may be empty
     */
    public String name() {
        return link.name();
    }

    /**
     * Bytes of ours that it has accepted, in this and earlier runs: write on from here.
     *
     * @return an offset
     */
    public long written() {
        return link.written();
    }

    /**
     * Bytes of ours that the contact's application has consumed.
     *
     * @return an offset
     */
    public long confirmed() {
        return link.confirmed();
    }

    /**
     * Offset of the next byte that is read.
     *
     * @return an offset
     */
    public long position() {
        return link.position();
    }

    /**
     * The contact's bytes. What was read counts as consumed as soon as more is asked for; -1 is the contact's end.
     * Its errors are {@link java.io.IOException} with a {@link P4Exception} as cause.
     *
     * @return always the same
     */
    public InputStream input() {
        return input;
    }

    /**
     * Our bytes. Writing waits while the daemon is too far behind; closing it ends our direction, and what was written
     * still arrives.
     *
     * @return always the same
     */
    public OutputStream output() {
        return output;
    }

    /**
     * Reads what there is, without counting it as consumed: say {@link #consumed} when it is dealt with, or it comes
     * again to the next who opens the stream. Use either this or {@link #input}.
     *
     * @return at least one byte; null at the contact's end
     * @throws P4Exception the stream ended before its end; {@code no-daemon}: it did not come back
     */
    public byte[] read() {
        return link.read(Integer.MAX_VALUE);
    }

    /**
     * Everything before an offset has been dealt with, and the contact's end if that was read.
     *
     * @param offset at most {@link #position}
     */
    public void consumed(long offset) {
        link.consumed(offset);
    }

    /**
     * Waits until everything written is safe from a power failure here.
     *
     * @throws P4Exception as {@link #read}
     */
    public void flush() {
        link.flush();
    }

    /**
     * Waits until the contact's application has consumed our bytes below an offset.
     *
     * @param offset of ours
     * @param patience how long at most
     * @return whether it has
     * @throws P4Exception as {@link #read}
     */
    public boolean awaitConfirmed(long offset, Duration patience) {
        return link.await(() -> link.confirmed() >= offset || link.isDone(), patience);
    }

    /**
     * Waits until both directions have ended and are consumed.
     *
     * @param patience how long at most
     * @return whether that is so
     * @throws P4Exception as {@link #read}
     */
    public boolean awaitDone(Duration patience) {
        return link.await(link::isDone, patience);
    }

    /**
     * Leaves the stream well: nothing more is read or written, what was written still arrives.
     *
     * @throws P4Exception as {@link #read}
     */
    public void leave() {
        link.part(Wire.object().put("type", "close"));
    }

    /**
     * Ends both directions at once; the contact's program gets an error with the reason.
     *
     * @param reason for a person
     * @throws P4Exception as {@link #read}
     */
    public void reset(String reason) {
        link.part(Wire.object().put("type", "reset").put("reason", reason));
    }

    /** Lets go of the stream without ending it, after what was written is with the daemon. */
    @Override
    public void close() {
        link.close();
    }
}

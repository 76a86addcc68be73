package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Map;
import java.util.function.BooleanSupplier;
import p4.P4Exception;

/**
 * What a stream is on this side, whichever WebSocket carries it at the moment. A thread of its own sends what there is
 * to send, and opens the next WebSocket when one has broken.
 */
final class StreamLink {
    /** Bytes of ours that are kept until the daemon has them; more waits. */
    private static final long AHEAD_BYTES = 4 * 1024 * 1024;
    private static final int TAKEN_OVER = 4001;
    private static final Duration CLOSE = Duration.ofSeconds(10);

    private final DaemonConnection connection;
    private final Monitor monitor = new Monitor(this::refuseEnded);

    private String id = "";
    private ContactName contact;
    private String service = "";
    private String name = "";
    private boolean openedHere;

    // Of the present WebSocket; a new one begins anew.
    private DaemonSocket socket;
    private StreamCarrier carrier;
    private boolean saidEnd;
    private long saidConsumed;
    private boolean saidKnowsEnd;
    private int saidFlushes;
    private boolean saidParting;

    // Of our direction.
    private final OutgoingBytes outgoing = new OutgoingBytes();
    private long confirmed;
    private boolean writingEnded;
    private int flushes;
    private int flushed;

    // Of the contact's direction.
    private final Deque<byte[]> arrived = new ArrayDeque<>();
    private long arrivedThrough;
    private long position;
    private long consumed;
    private boolean endArrived;
    private boolean endRead;

    private ObjectNode parting;
    private boolean done;
    private boolean closed;
    private P4Exception error;

    /** Opens a stream, or waits for one, on this thread. */
    StreamLink(DaemonConnection connection, String path, Map<String, ?> parameters) {
        this.connection = connection;
        attach(path + Wire.query(parameters), true);
        connection.threads().execute(this::work);
    }

    // -- the WebSocket -----------------------------------------------------------------------------------

    private void attach(String address, boolean first) {
        while (true) {
            StreamCarrier opening = new StreamCarrier(connection, this);
            DaemonSocket opened = new DaemonSocket(connection, address, opening);
            JsonNode open = opening.awaitOpen(opened); // null if the daemon ended while it was waited for
            if (open != null) {
                monitor.change(() -> begin(open, opening, opened, first));
                return;
            }
            DaemonConnection.sleep(50);
        }
    }

    private void begin(JsonNode open, StreamCarrier opening, DaemonSocket opened, boolean first) {
        long written = open.path("written").asLong();
        long from = open.path("position").asLong();
        if (first) {
            id = open.path("id").asText();
            contact = Wire.record(open.path("contact"), ContactName.class);
            service = open.path("service").asText();
            name = open.path("name").asText();
            openedHere = open.path("opened_here").asBoolean();
            outgoing.begin(written);
            arrivedThrough = position = consumed = from;
            writingEnded = open.path("writing_ended").asBoolean();
        } else if (!outgoing.covers(written) || from > arrivedThrough) {
            opened.abort();
            throw new P4Exception("lost", "The daemon came back with less, or more, of this stream than it had.");
        }
        outgoing.sendFrom(written);
        confirmed = Math.max(confirmed, open.path("confirmed").asLong());
        saidEnd = open.path("writing_ended").asBoolean();
        saidConsumed = from;
        saidKnowsEnd = false;
        saidFlushes = flushed;
        saidParting = false;
        endArrived = false;
        carrier = opening;
        socket = opened;
        opening.start(from);
    }

    private void work() {
        try {
            while (monitor.get(this::awaitWork)) {
                if (carrier.isBroken()) {
                    reattach();
                } else {
                    sendNext();
                }
            }
        } catch (P4Exception problem) {
            fail(problem);
        }
    }

    private boolean awaitWork() {
        monitor.await(() -> done || closed || carrier.isBroken() || hasWork());
        return !done && !closed;
    }

    private void reattach() {
        String address = openedHere
                ? "/v1/contacts/" + Wire.quoted(contact.id()) + "/streams/" + Wire.quoted(service)
                : "/v1/streams/" + Wire.quoted(service);
        String query = openedHere
                ? Wire.query(Map.of("name", name, "id", id)) : Wire.query(Map.of("contact", contact.id(), "id", id));
        try {
            attach(address + query, false);
        } catch (P4Exception problem) {
            boolean expected = monitor.get(() -> parting != null || writingEnded && endRead);
            if (!problem.code().equals("over") || !expected) {
                throw problem;
            }
            monitor.change(() -> done = true);
        }
    }

    // -- sending -----------------------------------------------------------------------------------------

    private boolean hasWork() {
        return outgoing.hasUnsent() || flushes > saidFlushes || writingEnded && !saidEnd
                || parting != null && !saidParting || mayConsume() > saidConsumed || mustSayEnd();
    }

    /** The daemon takes no word for bytes that it has not sent on this WebSocket. */
    private long mayConsume() {
        return Math.min(consumed, carrier.given());
    }

    private boolean mustSayEnd() {
        return endRead && endArrived && !saidKnowsEnd && consumed == arrivedThrough && carrier.given() >= consumed;
    }

    private void sendNext() {
        DaemonSocket through = monitor.get(() -> socket);
        Object next = monitor.get(this::next);
        try {
            if (next instanceof byte[] data) {
                through.send(data);
            } else if (next != null) {
                through.send((ObjectNode) next);
            }
        } catch (P4Exception problem) {
            if (!problem.code().equals("connection-lost")) {
                throw problem;
            }
            carrier.broke();
        }
    }

    /** Bytes, or a word; it counts as said. */
    private Object next() {
        if (mayConsume() > saidConsumed || mustSayEnd()) {
            boolean knowsEnd = mustSayEnd();
            saidConsumed = mayConsume();
            saidKnowsEnd |= knowsEnd;
            return Wire.object().put("type", "consumed").put("offset", saidConsumed).put("knows_end", knowsEnd);
        }
        if (outgoing.hasUnsent()) {
            return outgoing.next();
        }
        if (flushes > saidFlushes) {
            saidFlushes++;
            return Wire.object().put("type", "flush");
        }
        if (writingEnded && !saidEnd) {
            saidEnd = true;
            return Wire.object().put("type", "end");
        }
        if (parting != null && !saidParting) {
            saidParting = true;
            return parting;
        }
        return null;
    }

    // -- what arrives, called by the carrier -------------------------------------------------------------

    void took(StreamCarrier from, JsonNode word) {
        monitor.change(() -> {
            if (from == carrier) {
                take(word);
            }
        });
    }

    private void take(JsonNode word) {
        outgoing.stored(word.path("written").asLong());
        confirmed = Math.max(confirmed, word.path("confirmed").asLong());
        switch (word.path("type").asText()) {
            case "flushed" -> flushed++;
            case "end" -> endArrived = true;
            case "done" -> {
                endArrived = done = true;
                confirmed = parting == null ? outgoing.written() : confirmed; // it is over when all is consumed
            }
            default -> { }
        }
    }

    void took(StreamCarrier from, byte[] data, long offset) {
        monitor.change(() -> {
            if (from == carrier && offset + data.length > arrivedThrough) {
                int known = (int) Math.max(0, arrivedThrough - offset);
                arrived.add(known == 0 ? data : Arrays.copyOfRange(data, known, data.length));
                arrivedThrough = offset + data.length;
            }
        });
    }

    void ended(P4Exception problem, int code) {
        if (problem != null) {
            fail(problem);
        } else if (code == TAKEN_OVER) {
            fail(new P4Exception("taken-over", "Another program, or another part of this one, uses the stream now."));
        } else {
            monitor.change(() -> { });
        }
    }

    private void fail(P4Exception problem) {
        monitor.change(() -> {
            if (error == null && !done) {
                error = problem;
            }
        });
    }

    // -- what the program does ---------------------------------------------------------------------------

    byte[] read(int most) {
        return monitor.get(() -> {
            monitor.await(() -> !arrived.isEmpty() || endArrived && arrivedThrough <= carrier.given() || done);
            byte[] piece = arrived.pollFirst();
            if (piece == null) {
                endRead = true;
                return null;
            }
            if (piece.length > most) {
                arrived.addFirst(Arrays.copyOfRange(piece, most, piece.length));
                piece = Arrays.copyOf(piece, most);
            }
            position += piece.length;
            return piece;
        });
    }

    int available() {
        return monitor.get(() -> arrived.isEmpty() ? 0 : arrived.peekFirst().length);
    }

    void consumed(long offset) {
        monitor.change(() -> {
            if (offset > position) {
                throw new P4Exception("bad-offset", "What was not read cannot have been consumed.");
            }
            consumed = Math.max(consumed, offset);
        });
    }

    void write(byte[] piece) {
        monitor.change(() -> {
            monitor.await(() -> outgoing.ahead() < AHEAD_BYTES || done || writingEnded);
            if (writingEnded || done || closed) {
                throw new P4Exception("ended", "Writing to this stream has ended. Nothing was sent.");
            }
            refuseEnded();
            outgoing.add(piece);
        });
    }

    void endWriting() {
        monitor.change(() -> writingEnded = true);
    }

    void flush() {
        int wanted = monitor.get(() -> flushes + 1);
        monitor.change(() -> flushes = wanted);
        monitor.get(() -> {
            monitor.await(() -> flushed >= wanted || done);
            return null;
        });
    }

    void part(ObjectNode word) {
        monitor.change(() -> parting = word);
        monitor.get(() -> {
            monitor.await(() -> done);
            return null;
        });
    }

    boolean await(BooleanSupplier condition, Duration patience) {
        return monitor.get(() -> monitor.await(condition, patience));
    }

    void close() {
        boolean before = monitor.get(() -> closed);
        if (before) {
            return;
        }
        try {
            await(() -> done || !hasWork(), CLOSE);
        } catch (P4Exception problem) {
            // It has ended, or the daemon is away; what it did not get is told by `written` of the next opening.
        }
        monitor.change(() -> closed = true);
        socket.close();
    }

    private void refuseEnded() {
        if (error != null) {
            throw error;
        }
        if (closed || connection.isClosed()) {
            throw new P4Exception("closed", "This stream has been let go of.");
        }
    }

    String id() {
        return id;
    }

    ContactName contact() {
        return contact;
    }

    String service() {
        return service;
    }

    String name() {
        return name;
    }

    long written() {
        return monitor.get(outgoing::written);
    }

    long confirmed() {
        return monitor.get(() -> confirmed);
    }

    long position() {
        return monitor.get(() -> position);
    }

    boolean isDone() {
        return monitor.get(() -> done);
    }
}

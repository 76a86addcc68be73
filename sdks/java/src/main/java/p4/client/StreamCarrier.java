package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import p4.P4Exception;

/** What arrives on one WebSocket of a stream, with its offsets. */
final class StreamCarrier implements DaemonSocket.Receiver {
    private final DaemonConnection connection;
    private final StreamLink link;
    /** The word `open`; null if the connection ended before it. */
    private final CompletableFuture<JsonNode> open = new CompletableFuture<>();
    /** Bytes and words that came right behind it. */
    private Deque<Object> early = new ArrayDeque<>();
    private long given;
    private volatile boolean broken;

    StreamCarrier(DaemonConnection connection, StreamLink link) {
        this.connection = connection;
        this.link = link;
    }

    JsonNode awaitOpen(DaemonSocket socket) {
        try {
            return connection.await(open);
        } catch (InterruptedException error) {
            socket.abort();
            throw Wire.interrupted(error);
        } catch (ExecutionException error) {
            throw (P4Exception) error.getCause();
        }
    }

    /** The link is ready for what comes; it holds its lock. */
    synchronized void start(long position) {
        given = position;
        Deque<Object> waiting = early;
        early = null;
        waiting.forEach(this::pass);
    }

    boolean isBroken() {
        return broken;
    }

    void broke() {
        broken = true;
    }

    /** Offset behind the last byte that came on this WebSocket. */
    synchronized long given() {
        return given;
    }

    @Override
    public void word(JsonNode word) {
        if (word.path("type").asText().equals("open") && open.complete(word)) {
            return;
        }
        take(word);
    }

    @Override
    public void bytes(byte[] data) {
        take(data);
    }

    private void take(Object what) {
        synchronized (this) {
            if (early != null) {
                early.add(what);
                return;
            }
        }
        pass(what); // without our lock: the link's comes first
    }

    private void pass(Object what) {
        if (what instanceof byte[] data) {
            long offset;
            synchronized (this) {
                offset = given;
                given += data.length;
            }
            link.took(this, data, offset);
        } else {
            link.took(this, (JsonNode) what);
        }
    }

    @Override
    public void ended(P4Exception error, int code) {
        broken = true;
        boolean opening = error == null ? open.complete(null) : open.completeExceptionally(error);
        if (!opening) {
            link.ended(error, code);
        }
    }
}

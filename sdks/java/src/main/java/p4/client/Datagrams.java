package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import p4.P4Exception;

/**
 * Datagrams of a service, from and to all contacts: now, or not at all. A reader that is too slow loses the oldest.
 * Opens itself again when the daemon restarts; what is sent meanwhile is lost.
 */
public final class Datagrams implements AutoCloseable {
    private static final int WAITING = 256;

    private final DaemonConnection connection;
    private final String path;
    private final Deque<Datagram> arrived = new ArrayDeque<>();
    private volatile DaemonSocket socket;
    private P4Exception error;
    private boolean closed;

    Datagrams(DaemonConnection connection, String service) {
        this.connection = connection;
        this.path = "/v1/datagrams/" + Wire.quoted(service);
        this.socket = new DaemonSocket(connection, path, new Arriving());
    }

    /**
     * Sends one; it may be lost.
     *
     * @param contact its name or id
     * @param data at most 1100 bytes
     * @throws P4Exception an earlier one was refused, for example {@code not-granted}, and these datagrams have ended
     */
    public void send(String contact, byte[] data) {
        synchronized (this) {
            refuseEnded();
        }
        ObjectNode word = Wire.object().put("contact", contact);
        word.put("base64", Base64.getEncoder().encodeToString(data));
        try {
            socket.send(word);
        } catch (P4Exception problem) {
            if (!problem.code().equals("connection-lost")) {
                throw problem;
            }
            // Lost, as datagrams may be; the next ones go through the next connection.
        }
    }

    /**
     * Waits for the next one.
     *
     * @param patience how long at most
     * @return null if there is none in time
     * @throws P4Exception as {@link #send}, {@code no-daemon}, {@code closed}
     */
    public synchronized Datagram next(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (arrived.isEmpty()) {
            refuseEnded();
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                return null;
            }
            try {
                wait(left);
            } catch (InterruptedException problem) {
                throw Wire.interrupted(problem);
            }
        }
        return arrived.removeFirst();
    }

    private void refuseEnded() {
        if (error != null) {
            throw error;
        }
        if (closed) {
            throw new P4Exception("closed", "These datagrams have been closed.");
        }
    }

    private void reopen() {
        try {
            DaemonConnection.sleep(50);
            DaemonSocket opened = new DaemonSocket(connection, path, new Arriving());
            boolean late;
            synchronized (this) {
                socket = opened;
                late = closed;
            }
            if (late) {
                opened.close();
            }
        } catch (P4Exception problem) {
            end(problem);
        }
    }

    private synchronized void end(P4Exception problem) {
        error = problem;
        notifyAll();
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        socket.close();
    }

    private final class Arriving implements DaemonSocket.Receiver {
        @Override
        public void word(JsonNode word) {
            if (!word.has("base64")) {
                return;
            }
            Datagram datagram = new Datagram(
                    Wire.record(word.path("contact"), ContactName.class), Value.from(word).bytes());
            synchronized (Datagrams.this) {
                if (arrived.size() == WAITING) {
                    arrived.removeFirst();
                }
                arrived.add(datagram);
                Datagrams.this.notifyAll();
            }
        }

        @Override
        public void bytes(byte[] data) {
            // The daemon sends none here.
        }

        @Override
        public void ended(P4Exception problem, int code) {
            if (problem != null) {
                end(problem);
                return;
            }
            synchronized (Datagrams.this) {
                if (closed || connection.isClosed()) {
                    return;
                }
            }
            connection.threads().execute(Datagrams.this::reopen);
        }
    }
}

package p4.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import p4.P4Exception;

/**
 * Server-sent events (WHATWG HTML, section 9.2.6) of one path, read by lines on a thread of its own, across restarts
 * of the daemon.
 */
final class EventFeed implements AutoCloseable {
    /** Comes first, and again after each restart: events may have been missed before. */
    static final String OPENED = "feed.opened";

    private static final int WAITING = 512;
    /** A daemon that lives says something every 20 s. */
    private static final long SILENCE_MS = 60_000;

    /** One event, or why there are no more. */
    record Event(String kind, String data, P4Exception error) {}

    private final DaemonConnection connection;
    private final String path;
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>(WAITING);
    private final Future<?> reading;
    private volatile InputStream body;
    private volatile boolean closed;
    private volatile long heard;
    private volatile P4Exception ended;

    EventFeed(DaemonConnection connection, String path) {
        this.connection = connection;
        this.path = path;
        try {
            this.reading = connection.threads().submit(this::run);
        } catch (RejectedExecutionException error) {
            throw DaemonConnection.closedError();
        }
        connection.opened(this);
    }

    /** The next event; null if there is none within the time. */
    Event next(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            if (connection.isClosed()) {
                throw DaemonConnection.closedError();
            }
            if (closed) {
                throw closedError();
            }
            if (ended != null && events.isEmpty()) {
                throw ended;
            }
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            try {
                Event event = events.poll(Math.max(0, Math.min(left, 500)), TimeUnit.MILLISECONDS);
                if (event != null && event.error() == null) {
                    return event;
                }
                if (event == null && left <= 0) {
                    return null;
                }
            } catch (InterruptedException error) {
                throw Wire.interrupted(error);
            }
            InputStream open = body;
            if (open != null && events.isEmpty() && System.currentTimeMillis() - heard > SILENCE_MS) {
                shut(open);
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        connection.ended(this);
        InputStream open = body;
        if (open != null) {
            shut(open);
        }
        reading.cancel(true);
    }

    private void run() {
        try {
            while (!closed) {
                try (InputStream stream = connection.openEvents(path)) {
                    body = stream;
                    heard = System.currentTimeMillis();
                    if (!closed) {
                        events.put(new Event(OPENED, "{}", null));
                        read(stream);
                    }
                } catch (IOException error) {
                    // The connection broke: the daemon restarts, or is asked again and says what is wrong.
                } finally {
                    body = null;
                }
                DaemonConnection.sleep(50);
            }
        } catch (P4Exception error) {
            ended = error;
            events.offer(new Event("", "", error)); // wakes a reader that waits
        } catch (InterruptedException error) {
            ended = closedError();
        }
    }

    private void read(InputStream stream) throws IOException, InterruptedException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8));
        String kind = "";
        StringBuilder data = null;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            heard = System.currentTimeMillis();
            if (line.isEmpty()) {
                if (data != null) {
                    events.put(new Event(kind.isEmpty() ? "message" : kind, data.toString(), null));
                }
                kind = "";
                data = null;
                continue;
            }
            int colon = line.indexOf(':');
            String field = colon < 0 ? line : line.substring(0, colon);
            String value = colon < 0 ? "" : line.substring(colon + 1);
            value = value.startsWith(" ") ? value.substring(1) : value;
            if (field.equals("event")) {
                kind = value;
            } else if (field.equals("data")) {
                data = data == null ? new StringBuilder(value) : data.append('\n').append(value);
            }
        }
    }

    private static void shut(InputStream stream) {
        try {
            stream.close();
        } catch (IOException error) {
            // It is of no use any more, whatever happens to it.
        }
    }

    private static P4Exception closedError() {
        return new P4Exception("closed", "This reader has been closed.");
    }
}

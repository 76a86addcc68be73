package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import p4.P4Exception;

/**
 * The messages of a service, each once, across restarts of the daemon.
 *
 * <p>A message whose {@link Message#done} was called does not come again, whatever restarts: if the daemon ended
 * before it had noted that, it is told once more. One that was not done comes again to the next subscription. Safe for
 * use by several threads.
 */
public final class MessageSubscription implements AutoCloseable {
    private static final int TOLD_TOGETHER = 256;
    /** Messages remembered as done: what one of several earlier connections left behind is told from what is new. */
    private static final int REMEMBERED = 32 * 256;
    private static final long CLOSE_SECONDS = 10;
    private static final long RETRY_SECONDS = 20;
    /** Codes of a daemon that is not ready yet, or is another one than a moment ago. */
    private static final Set<String> STARTING = Set.of(
            "not-running", "overloaded", "bad-token", "in-use", "no-daemon", "no-answer", "connection-lost");
    private static final System.Logger LOG = System.getLogger(MessageSubscription.class.getName());

    private record Key(String contact, String id) {}

    private final DaemonConnection connection;
    private final String path;
    private final EventFeed feed;
    /** Given to the application, and not done yet. */
    private final Set<Key> handedOut = new HashSet<>();
    /** Done by the application, and not yet known to be so by the daemon. */
    private final Map<Key, CompletableFuture<Void>> done = new LinkedHashMap<>();
    /**
     * The daemon was told. It may still come again: from a connection before, or because the daemon restarted and was
     * told before it had handed the message out again.
     */
    private final Map<Key, Boolean> settled = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Boolean> eldest) {
            return size() > REMEMBERED;
        }
    };
    private CompletableFuture<Void> telling = CompletableFuture.completedFuture(null);
    /**
     * Came again while the daemon was being told. It may have been told before it handed the message out, and then has
     * not noted anything.
     */
    private final Set<Key> again = new HashSet<>();
    /** Somebody wants all to be told once more. */
    private boolean more;

    MessageSubscription(DaemonConnection connection, String service, String contact, int window) {
        this.connection = connection;
        this.path = "/v1/messages/" + Wire.quoted(service);
        this.feed = new EventFeed(connection,
                path + Wire.query(Map.of("contact", contact == null ? "" : contact, "window", window)));
    }

    /**
     * Waits for the next message, however long that takes.
     *
     * @return one that this subscription has not given yet
     * @throws P4Exception {@code in-use}, {@code not-granted}, {@code no-daemon}: it is gone and did not come back
     */
    public Message next() {
        while (true) {
            Message message = next(Duration.ofDays(1));
            if (message != null) {
                return message;
            }
        }
    }

    /**
     * Waits for the next message.
     *
     * @param patience how long at most
     * @return null if there is none in time
     * @throws P4Exception as {@link #next()}
     */
    public Message next(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            EventFeed.Event event = feed.next(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
            if (event == null) {
                return null;
            }
            if (event.kind().equals(EventFeed.OPENED)) {
                tell(); // what could not be told to the daemon before
            } else if (event.kind().equals("message")) {
                Message message = new Message(this, Wire.parse(event.data()));
                if (isNew(new Key(message.contact().id(), message.id()))) {
                    return message;
                }
            }
        }
    }

    private synchronized boolean isNew(Key key) {
        if (settled.remove(key) != null) {
            done.put(key, new CompletableFuture<>());
        }
        if (done.containsKey(key)) {
            again.add(key);
            tell(); // the daemon restarted before it had noted it
            return false;
        }
        return handedOut.add(key); // else the application has it, and will say when it is done
    }

    synchronized CompletableFuture<Void> done(String contact, String id) {
        Key key = new Key(contact, id);
        CompletableFuture<Void> future = done.get(key);
        if (future == null || future.isDone()) {
            future = new CompletableFuture<>();
            if (!handedOut.contains(key)) {
                future.complete(null); // the daemon knows already
                return future;
            }
            done.put(key, future);
        }
        tell();
        return future;
    }

    private synchronized void tell() {
        if (telling.isDone()) {
            try {
                telling = CompletableFuture.runAsync(this::tellAll, connection.threads());
            } catch (RejectedExecutionException error) {
                telling = CompletableFuture.completedFuture(null); // the client is closed: they come again
            }
        } else {
            more = true;
        }
    }

    private void tellAll() {
        Set<Key> told = new HashSet<>();
        while (true) {
            List<Key> keys;
            synchronized (this) {
                if (more) {
                    more = false;
                    told.clear();
                }
                keys = done.keySet().stream().filter(key -> !told.contains(key)).limit(TOLD_TOGETHER).toList();
                if (keys.isEmpty()) {
                    telling = CompletableFuture.completedFuture(null);
                    return;
                }
            }
            told.addAll(keys);
            synchronized (this) {
                keys.forEach(again::remove); // what is told from now on was handed out before
            }
            tell(keys);
        }
    }

    /** Asks again for a while: a daemon that starts may not be ready for this yet. */
    private JsonNode post(ObjectNode body) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(RETRY_SECONDS);
        while (true) {
            try {
                return Wire.parse(connection.request("POST", path + "/done", body, true, DaemonConnection.ANSWER));
            } catch (P4Exception error) {
                if (!STARTING.contains(error.code()) || System.nanoTime() > deadline) {
                    throw error;
                }
                LOG.log(System.Logger.Level.DEBUG, "Told again that messages are done: {0}", error);
                DaemonConnection.sleep(200);
            }
        }
    }

    private void tell(List<Key> keys) {
        ObjectNode body = Wire.object();
        ArrayNode messages = body.putArray("messages");
        keys.forEach(key -> messages.addObject().put("contact", key.contact()).put("id", key.id()));
        P4Exception problem = null;
        try {
            JsonNode answer = post(body);
            if (!answer.has("done")) {
                problem = new P4Exception("bad-answer", "The daemon did not say what is done.");
            }
        } catch (P4Exception error) {
            problem = error;
        }
        List<CompletableFuture<Void>> noted = new ArrayList<>(); // completed without the lock: programs go on there
        P4Exception failure = problem == null ? null : new P4Exception(problem.code(),
                "That the message is done could not be noted: it comes again to the next subscription. "
                        + problem.getMessage(), problem.data(), problem);
        synchronized (this) {
            for (Key key : keys) {
                CompletableFuture<Void> future = done.get(key);
                if (problem == null && again.remove(key)) {
                    more = true; // it stays among those that are done
                } else if (problem == null) {
                    done.remove(key);
                    handedOut.remove(key);
                    settled.put(key, true);
                    noted.add(future);
                } else { // it stays among those that are done: if it comes again, the daemon is told again
                    noted.add(future);
                }
            }
        }
        if (failure == null) {
            noted.forEach(future -> future.complete(null));
        } else {
            noted.forEach(future -> future.completeExceptionally(failure));
        }
    }

    /** Tells the daemon what is done, and reads no more; other readers get what is not done. */
    @Override
    public void close() {
        CompletableFuture<Void> last;
        synchronized (this) {
            last = telling;
        }
        try {
            last.get(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException error) {
            // What could not be told comes again.
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        feed.close();
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import p4.P4Exception;

/** Answers the calls of contacts for a service until it is closed, also after restarts of the daemon. */
public final class Serving implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Serving.class.getName());

    private final DaemonConnection connection;
    private final String path;
    private final CallHandler handler;
    private final CompletableFuture<Void> begun = new CompletableFuture<>();
    private volatile DaemonSocket socket;
    private volatile boolean closed;

    Serving(DaemonConnection connection, String service, CallHandler handler) {
        this.connection = connection;
        this.path = "/v1/services/" + Wire.quoted(service) + "/serve";
        this.handler = handler;
        open();
        try {
            begun.get(DaemonConnection.ANSWER.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException error) {
            throw (P4Exception) error.getCause();
        } catch (TimeoutException error) {
            close();
            throw new P4Exception("no-answer", "The daemon does not say that calls are taken.", Map.of(), error);
        } catch (InterruptedException error) {
            close();
            throw Wire.interrupted(error);
        }
    }

    private void open() {
        Session session = new Session();
        DaemonSocket opened = new DaemonSocket(connection, path, session);
        session.ready.complete(opened);
        socket = opened;
        if (closed) {
            opened.close();
        }
    }

    private void reopen() {
        long patience = Duration.ofSeconds(20).toNanos();
        long begin = System.nanoTime();
        while (!closed) {
            try {
                DaemonConnection.sleep(100);
                open();
                return;
            } catch (P4Exception error) {
                // The daemon may not have noticed yet that our last connection is gone.
                if (!error.code().equals("already-served") || System.nanoTime() - begin > patience) {
                    LOG.log(System.Logger.Level.WARNING, "Calls are not answered any more: " + error);
                    return;
                }
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        DaemonSocket open = socket;
        if (open != null) {
            open.close();
        }
    }

    /** One connection, and the calls that came over it. */
    private final class Session implements DaemonSocket.Receiver {
        private final CompletableFuture<DaemonSocket> ready = new CompletableFuture<>();
        private final Map<String, Future<?>> calls = new ConcurrentHashMap<>();

        @Override
        public void word(JsonNode word) {
            String id = word.path("id").asText();
            switch (word.path("type").asText()) {
                case "serving" -> begun.complete(null);
                case "call" -> {
                    CompletableFuture<Void> registered = new CompletableFuture<>();
                    calls.put(id, connection.threads().submit(() -> {
                        registered.join(); // or a short call would be over before it is registered
                        answer(id, word);
                    }));
                    registered.complete(null);
                }
                case "cancel" -> {
                    Future<?> call = calls.remove(id);
                    if (call != null) {
                        call.cancel(true);
                    }
                }
                default -> { }
            }
        }

        private void answer(String id, JsonNode entry) {
            ObjectNode reply = Wire.object().put("id", id);
            try {
                Value.of(handler.answer(IncomingCall.read(entry))).into(reply.put("type", "result"));
            } catch (P4Exception error) {
                if (error.type().equals("CallFailed")) {
                    reply.put("type", "failed").put("code", error.code()).put("message", error.getMessage());
                    reply.set("data", Wire.MAPPER.valueToTree(error.data().get("data")));
                } else {
                    internal(reply, error);
                }
            } catch (Exception error) { // a handler is somebody else's program: its bug must not end the service
                internal(reply, error);
            }
            if (calls.remove(id) != null) {
                try {
                    ready.join().send(reply);
                } catch (P4Exception error) {
                    LOG.log(System.Logger.Level.INFO, "The daemon ended before a call was answered");
                }
            }
        }

        private void internal(ObjectNode reply, Exception error) {
            LOG.log(System.Logger.Level.ERROR, "The handler of a call failed", error);
            reply.put("type", "failed").put("code", "internal");
            reply.put("message", "The service failed; its own log knows more.").putNull("data");
        }

        @Override
        public void bytes(byte[] data) {
            // The daemon sends none here.
        }

        @Override
        public void ended(P4Exception error, int code) {
            calls.values().forEach(call -> call.cancel(true));
            if (error != null) {
                begun.completeExceptionally(error);
                LOG.log(System.Logger.Level.WARNING, "Calls are not answered any more: " + error);
            } else if (!closed && !connection.isClosed()) {
                connection.threads().execute(Serving.this::reopen);
            } else {
                begun.completeExceptionally(new P4Exception("closed", "This client has been closed."));
            }
        }
    }
}

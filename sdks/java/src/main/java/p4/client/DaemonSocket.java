package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import p4.P4Exception;

/** A WebSocket of the daemon: whole messages in, one message after the other out. */
final class DaemonSocket implements AutoCloseable {
    /** What arrives, one after the other. */
    interface Receiver {
        /** A text message that is no error. */
        void word(JsonNode word);

        /** A binary message. */
        void bytes(byte[] data);

        /** Nothing more arrives: by an error of the daemon, or null, and then the code that it closed with. */
        void ended(P4Exception error, int code);
    }

    /** Close code of a connection that broke. */
    static final int BROKEN = 1006;

    private static final long CLOSE_SECONDS = 5;
    private static final long PING_SECONDS = 2;

    private final DaemonConnection connection;
    private final Receiver receiver;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final WebSocket socket;
    private volatile boolean closing;

    DaemonSocket(DaemonConnection connection, String path, Receiver receiver) {
        this.connection = connection;
        this.receiver = receiver;
        this.socket = connection.websocket(path, new Listener());
        connection.opened(this);
        if (ended.isDone()) { // before it was known there
            connection.ended(this);
        }
        ping();
    }

    /**
     * Notices a connection that has ended, by sending on it. The JDK's WebSocket does not always tell of an end that
     * comes together with the last message, as when the daemon is killed just then.
     */
    private void ping() {
        CompletableFuture.delayedExecutor(PING_SECONDS, TimeUnit.SECONDS, connection.threads()).execute(() -> {
            if (closing || ended.isDone()) {
                return;
            }
            socket.sendPing(ByteBuffer.allocate(0)).whenComplete((sent, error) -> {
                if (error == null) {
                    ping();
                } else if (!closing) {
                    abort();
                }
            });
        });
    }

    void send(ObjectNode word) {
        String text = Wire.text(word);
        send(() -> socket.sendText(text, true));
    }

    void send(byte[] data) {
        send(() -> socket.sendBinary(ByteBuffer.wrap(data), true));
    }

    private synchronized void send(java.util.function.Supplier<CompletableFuture<WebSocket>> message) {
        try {
            // Completes when the bytes are with the system: a daemon that does not read holds us here.
            connection.await(message.get());
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        } catch (ExecutionException error) {
            throw new P4Exception("connection-lost", "The daemon has ended.", java.util.Map.of(), error.getCause());
        }
    }

    /** Says that we leave, lets the daemon read what was sent, and cuts the connection if it does not. */
    @Override
    public void close() {
        closing = true;
        try {
            if (!socket.isOutputClosed()) {
                socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(CLOSE_SECONDS, TimeUnit.SECONDS);
            }
            ended.get(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException | IllegalStateException error) {
            // It is cut below.
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        } finally {
            abort();
        }
    }

    void abort() {
        socket.abort();
        end(null, BROKEN);
    }

    private void end(P4Exception error, int code) {
        if (ended.complete(null)) {
            connection.ended(this);
            receiver.ended(error, code);
        }
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public CompletionStage<?> onText(WebSocket source, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                String whole = text.toString();
                text.setLength(0);
                take(Wire.parse(whole));
            }
            source.request(1);
            return null;
        }

        private void take(JsonNode word) {
            if (word.path("type").asText().equals("error")) {
                end(Wire.error(word.path("error")), BROKEN);
            } else if (!ended.isDone()) {
                receiver.word(word);
            }
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket source, ByteBuffer data, boolean last) {
            byte[] part = new byte[data.remaining()];
            data.get(part);
            if (last && bytes.size() == 0) {
                receive(part);
            } else {
                bytes.writeBytes(part);
                if (last) {
                    receive(bytes.toByteArray());
                    bytes.reset();
                }
            }
            source.request(1);
            return null;
        }

        private void receive(byte[] data) {
            if (!ended.isDone()) {
                receiver.bytes(data);
            }
        }

        @Override
        public CompletionStage<?> onClose(WebSocket source, int code, String reason) {
            end(null, code);
            return null;
        }

        @Override
        public void onError(WebSocket source, Throwable error) {
            end(null, BROKEN);
        }
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import p4.P4Exception;

/** HTTP to one daemon: requests, streams of events, WebSockets. Goes on by itself when the daemon restarts. */
final class DaemonConnection implements AutoCloseable {
    static final Duration ANSWER = Duration.ofSeconds(60);
    private static final Duration CONNECT = Duration.ofSeconds(5);
    /** Methods that may be sent twice (RFC 9110, section 9.2.2). */
    private static final Set<String> REPEATABLE = Set.of("GET", "HEAD", "PUT", "DELETE", "OPTIONS");
    /** A token that is refused may be that of the daemon before; the new one writes its own in a moment. */
    private static final int REFUSED_TOKENS = 4;

    private final Supplier<Endpoint> find;
    private final Duration restart;
    private final ExecutorService threads;
    private final HttpClient http;
    private volatile Endpoint endpoint;
    private volatile boolean reached;
    private volatile boolean closed;
    /** What threads wait for; closing ends it. */
    private final Set<CompletableFuture<?>> awaited = ConcurrentHashMap.newKeySet();
    private final Set<DaemonSocket> sockets = ConcurrentHashMap.newKeySet();
    private final Set<EventFeed> feeds = ConcurrentHashMap.newKeySet();

    DaemonConnection(Supplier<Endpoint> find, Duration restart) {
        this.find = find;
        this.restart = restart;
        this.threads = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work, "p4-client");
            thread.setDaemon(true);
            return thread;
        });
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(HttpClient.Builder.NO_PROXY) // none may see what goes to this machine
                .connectTimeout(CONNECT)
                .executor(threads)
                .build();
    }

    ExecutorService threads() {
        return threads;
    }

    boolean isClosed() {
        return closed;
    }

    @Override
    public void close() {
        closed = true;
        awaited.forEach(one -> one.cancel(true));
        sockets.forEach(DaemonSocket::abort);
        feeds.forEach(EventFeed::close);
        threads.shutdownNow();
    }

    /** Closing ends this WebSocket, too. */
    void opened(DaemonSocket socket) {
        sockets.add(socket);
        if (closed) {
            socket.abort();
        }
    }

    void ended(DaemonSocket socket) {
        sockets.remove(socket);
    }

    /** Closing ends this feed, too: interrupting whoever reads an answer does not. */
    void opened(EventFeed feed) {
        feeds.add(feed);
    }

    void ended(EventFeed feed) {
        feeds.remove(feed);
    }

    /** Waits for something that this connection works on, until it is closed. */
    <T> T await(CompletableFuture<T> work) throws ExecutionException, InterruptedException {
        awaited.add(work);
        try {
            if (closed) {
                work.cancel(true);
            }
            return work.get();
        } catch (CancellationException error) {
            throw closedError();
        } catch (ExecutionException error) {
            if (closed) { // whatever closing did to it
                throw closedError();
            }
            throw error;
        } catch (InterruptedException error) {
            work.cancel(true);
            throw error;
        } finally {
            awaited.remove(work);
        }
    }

    private <T> HttpResponse<T> exchange(HttpRequest request, HttpResponse.BodyHandler<T> body)
            throws IOException, InterruptedException {
        try {
            return await(http.sendAsync(request, body));
        } catch (ExecutionException error) {
            if (error.getCause() instanceof IOException broken) {
                throw broken;
            }
            throw new P4Exception("no-daemon", "The daemon cannot be reached.", Map.of(), error.getCause());
        } catch (RejectedExecutionException error) {
            throw closedError();
        }
    }

    static P4Exception closedError() {
        return new P4Exception("closed", "This client has been closed. Nothing was done.");
    }

    /** One attempt after the other, with pauses, until the daemon has been away for too long. */
    final class Attempts {
        // One that was never there is not restarting: whoever asks is told at once.
        private final long deadline = System.nanoTime() + (reached ? restart.toNanos() : 0);
        private long pauseMs = 50;
        private int refused;
        private Endpoint last;

        Endpoint next() {
            while (true) {
                if (closed) {
                    throw closedError();
                }
                try {
                    Endpoint found = endpoint;
                    if (found == null) {
                        found = find.get();
                        endpoint = found;
                    }
                    last = found;
                    return found;
                } catch (P4Exception error) {
                    pause(error);
                }
            }
        }

        /** The daemon was not there; it may be elsewhere next time. */
        void failed(IOException cause) {
            if (closed) {
                throw closedError();
            }
            endpoint = null;
            pause(Endpoint.noDaemon(last, cause));
        }

        /** Whether a token that was refused is worth another attempt: nothing was done. */
        boolean again(int status) {
            if (status != 401) {
                return false;
            }
            endpoint = null;
            boolean same;
            try {
                same = find.get().equals(last);
            } catch (P4Exception error) {
                same = true; // a daemon that starts replaces the file in a moment
            }
            if (same) {
                if (!reached || ++refused >= REFUSED_TOKENS) {
                    return false;
                }
                pause(null);
            }
            return true;
        }

        private void pause(P4Exception error) {
            if (error != null && System.nanoTime() + pauseMs * 1_000_000 >= deadline) {
                throw error;
            }
            sleep(pauseMs);
            pauseMs = Math.min(2 * pauseMs, 2000);
        }
    }

    static void sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        }
    }

    /** Asks, and waits for a daemon that restarts meanwhile; gives the body of the answer. */
    byte[] request(String method, String path, JsonNode body, Boolean repeatable, Duration timeout) {
        boolean again = repeatable == null ? REPEATABLE.contains(method) : repeatable;
        byte[] data = body == null ? new byte[0] : Wire.bytes(body);
        Attempts attempts = new Attempts();
        while (true) {
            HttpRequest.Builder request = to(attempts.next(), path).timeout(timeout);
            if (body != null) {
                request.header("Content-Type", "application/json");
            }
            request.method(method, body == null
                    ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(data));
            try {
                HttpResponse<byte[]> answer = exchange(request.build(), HttpResponse.BodyHandlers.ofByteArray());
                if (answer.statusCode() < 400) {
                    reached = true;
                    return answer.body();
                }
                if (!attempts.again(answer.statusCode())) {
                    throw Wire.error(answer.statusCode(), answer.body());
                }
            } catch (ConnectException | HttpConnectTimeoutException error) {
                attempts.failed(error); // there was no connection: nothing has come of it
            } catch (HttpTimeoutException error) {
                throw new P4Exception("no-answer", "The daemon did not answer within " + timeout.toSeconds()
                        + " s. It may still do what was asked. Look at how it is: p4 status", Map.of(), error);
            } catch (IOException error) {
                if (!again) {
                    throw new P4Exception("connection-lost", "The daemon ended while it worked on this. It may have "
                            + "been done: look before you repeat it.", Map.of(), error);
                }
                attempts.failed(error);
            } catch (InterruptedException error) {
                throw Wire.interrupted(error);
            }
        }
    }

    /** Server-sent events of a path, from a daemon that is there. */
    InputStream openEvents(String path) {
        Attempts attempts = new Attempts();
        while (true) {
            HttpRequest request =
                    to(attempts.next(), path).header("Accept", "text/event-stream").timeout(ANSWER).build();
            try {
                HttpResponse<InputStream> answer = exchange(request, HttpResponse.BodyHandlers.ofInputStream());
                if (answer.statusCode() < 400) {
                    reached = true;
                    return answer.body();
                }
                try (InputStream body = answer.body()) {
                    byte[] reason = body.readAllBytes();
                    if (!attempts.again(answer.statusCode())) {
                        throw Wire.error(answer.statusCode(), reason);
                    }
                }
            } catch (IOException error) {
                attempts.failed(error);
            } catch (InterruptedException error) {
                throw Wire.interrupted(error);
            }
        }
    }

    /** A WebSocket of the daemon; it ends with the daemon. */
    WebSocket websocket(String path, WebSocket.Listener listener) {
        Attempts attempts = new Attempts();
        while (true) {
            Endpoint at = attempts.next();
            WebSocket.Builder builder = http.newWebSocketBuilder().connectTimeout(CONNECT);
            if (!at.token().isEmpty()) {
                builder.header("Authorization", "Bearer " + at.token());
            }
            try {
                URI address = URI.create(at.url().replaceFirst("^http", "ws") + path);
                WebSocket socket = await(builder.buildAsync(address, listener));
                reached = true;
                return socket;
            } catch (InterruptedException error) {
                throw Wire.interrupted(error);
            } catch (ExecutionException | CompletionException error) {
                if (error.getCause() instanceof WebSocketHandshakeException refused) {
                    HttpResponse<?> answer = refused.getResponse();
                    if (!attempts.again(answer.statusCode())) {
                        byte[] reason = answer.body() == null ? new byte[0]
                                : answer.body().toString().getBytes(java.nio.charset.StandardCharsets.UTF_8);
                        throw Wire.error(answer.statusCode(), reason);
                    }
                } else if (error.getCause() instanceof IOException broken) {
                    attempts.failed(broken);
                } else {
                    throw new P4Exception("no-daemon", "The daemon cannot be reached.", Map.of(), error.getCause());
                }
            }
        }
    }

    private static HttpRequest.Builder to(Endpoint endpoint, String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(endpoint.url() + path));
        if (!endpoint.token().isEmpty()) {
            request.header("Authorization", "Bearer " + endpoint.token());
        }
        return request;
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import p4.P4Exception;

/**
 * Many messages to one service of a contact, in order: what is handed over while a request is under way goes
 * together with the next, in one write to the daemon's disk.
 */
public final class MessagePipeline implements AutoCloseable {
    private static final int MOST_VALUES = 1000;
    private static final int MOST_BYTES = 1_000_000; // of at most 2 MiB for a body
    private static final int WAITING = 4000;

    private record Waiting(ObjectNode value, int size, CompletableFuture<Receipt> receipt) {}

    private final Client client;
    private final String contact;
    private final String service;
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private boolean sending;
    private boolean closed;

    MessagePipeline(Client client, String contact, String service) {
        this.client = client;
        this.contact = contact;
        this.service = service;
    }

    /**
     * Hands over a message; waits only while very many are under way.
     *
     * @param value see {@link Value#of}
     * @return completes when it is on the daemon's disk; exceptionally with a {@link P4Exception} if it was not
     *     accepted, or may not have been ({@code connection-lost})
     */
    public synchronized CompletableFuture<Receipt> send(Object value) {
        if (closed) {
            throw new P4Exception("closed", "This pipeline has been closed. Nothing was sent.");
        }
        ObjectNode node = Wire.object();
        int size = Value.of(value).into(node);
        while (waiting.size() >= WAITING) {
            pause();
        }
        CompletableFuture<Receipt> receipt = new CompletableFuture<>();
        waiting.add(new Waiting(node, size, receipt));
        if (!sending) {
            sending = true;
            client.connection().threads().execute(this::run);
        }
        return receipt;
    }

    /** Waits until everything that was handed over has been answered. */
    @Override
    public synchronized void close() {
        closed = true;
        while (sending) {
            pause();
        }
    }

    private void pause() {
        try {
            wait();
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        }
    }

    private void run() {
        while (true) {
            List<Waiting> batch = new ArrayList<>();
            synchronized (this) {
                int size = 0;
                while (!waiting.isEmpty() && batch.size() < MOST_VALUES
                        && (batch.isEmpty() || size + waiting.peekFirst().size() <= MOST_BYTES)) {
                    size += waiting.peekFirst().size();
                    batch.add(waiting.removeFirst());
                }
                sending = !batch.isEmpty();
                notifyAll();
                if (!sending) {
                    return;
                }
            }
            send(batch);
        }
    }

    private void send(List<Waiting> batch) {
        ObjectNode body = Wire.object().put("service", service);
        ArrayNode values = body.putArray("values");
        batch.forEach(one -> values.add(one.value()));
        try {
            String path = "/v1/contacts/" + Wire.quoted(contact) + "/messages/batch";
            JsonNode receipts = client.request("POST", path, body).path("receipts");
            for (int i = 0; i < batch.size(); i++) {
                batch.get(i).receipt().complete(Receipt.read(client, contact, receipts.path(i)));
            }
        } catch (P4Exception error) {
            boolean refused = !error.mayHaveRun() && !error.code().equals("no-daemon");
            if (refused && batch.size() > 1) {
                batch.forEach(one -> send(List.of(one))); // all or none: one of them may be the reason
            } else {
                batch.forEach(one -> one.receipt().completeExceptionally(error));
            }
        }
    }
}

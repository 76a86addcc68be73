package p4.client;

import java.util.concurrent.CompletableFuture;
import p4.P4Exception;

/**
 * Many messages to one service of a contact, in order, without waiting for each: what is handed over while a request
 * is under way goes together with the next, in one write to the daemon's disk.
 */
public final class MessagePipeline implements AutoCloseable {
    private static final int UNDER_WAY = 4000;

    private final Client client;
    private final String contact;
    private final String service;
    private int underWay;
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
        while (!closed && underWay >= UNDER_WAY) {
            pause();
        }
        if (closed) {
            throw new P4Exception("closed", "This pipeline has been closed. Nothing was sent.");
        }
        String path = "/v1/contacts/" + Wire.quoted(contact) + "/messages";
        CompletableFuture<Receipt> receipt = client.outbox().begin(path, service, value)
                .thenApply(entry -> Receipt.read(client, contact, entry));
        underWay++;
        receipt.whenComplete((done, problem) -> answered());
        return unwrapped(receipt);
    }

    /** Waits until everything that was handed over has been answered. */
    @Override
    public synchronized void close() {
        closed = true;
        notifyAll();
        while (underWay > 0) {
            pause();
        }
    }

    private synchronized void answered() {
        underWay--;
        notifyAll();
    }

    private void pause() {
        try {
            wait();
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        }
    }

    /** The same, whose error is the reason itself and not what wraps it. */
    private static CompletableFuture<Receipt> unwrapped(CompletableFuture<Receipt> receipt) {
        CompletableFuture<Receipt> told = new CompletableFuture<>();
        receipt.whenComplete((done, problem) -> {
            if (problem == null) {
                told.complete(done);
            } else {
                told.completeExceptionally(
                        problem instanceof java.util.concurrent.CompletionException ? problem.getCause() : problem);
            }
        });
        return told;
    }
}

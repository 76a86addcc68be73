package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import p4.P4Exception;

/**
 * Messages on their way to the daemon. Those of one contact and service go in their order, one request at a time: what
 * is handed over while one is under way goes together in the next, with one write to disk for all of it.
 */
final class Outbox {
    /** Most messages in one request; the daemon takes 1000. */
    static final int MOST_VALUES = 500;
    /** Most bytes of their values, but for one alone; the daemon takes 2 MiB. */
    static final int MOST_BYTES = 1_000_000;
    /** Statuses of a refusal that may be the fault of one message among many. Nothing of a request was accepted. */
    private static final Set<Integer> REFUSED = Set.of(400, 409, 413, 422, 507);

    /** Asks the daemon: POST of a body to a path. */
    interface Post {
        JsonNode ask(String path, ObjectNode body);
    }

    private record Parcel(ObjectNode value, int size, SendOptions options, CompletableFuture<JsonNode> receipt) {
        boolean goesWith(Parcel other) {
            return options.latest().isEmpty() && options.equals(other.options);
        }
    }

    private record Line(String path, String service) {}

    private final Post post;
    private final Executor threads;
    /** What waits behind a request that is under way; absent where there is none. */
    private final Map<Line, Deque<Parcel>> lines = new HashMap<>();

    Outbox(Post post, Executor threads) {
        this.post = post;
        this.threads = threads;
    }

    /** Hands over a message, on this thread if nothing is under way; waits for its receipt. */
    JsonNode send(String path, String service, Object value, SendOptions options) {
        Line line = new Line(path, service);
        Parcel parcel = parcel(value, options);
        if (enqueue(line, parcel)) {
            work(line, false);
        }
        try {
            return parcel.receipt().get();
        } catch (ExecutionException error) {
            throw (P4Exception) error.getCause();
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        }
    }

    /** Hands over a message; its receipt completes when it is on the daemon's disk. */
    CompletableFuture<JsonNode> begin(String path, String service, Object value) {
        Line line = new Line(path, service);
        Parcel parcel = parcel(value, SendOptions.NONE);
        if (enqueue(line, parcel)) {
            workElsewhere(line);
        }
        return parcel.receipt();
    }

    private static Parcel parcel(Object value, SendOptions options) {
        ObjectNode node = Wire.object();
        int size = Value.of(value).into(node);
        return new Parcel(node, size, options, new CompletableFuture<>());
    }

    /** Whether nobody works on this line, so that the caller has to. */
    private synchronized boolean enqueue(Line line, Parcel parcel) {
        boolean idle = !lines.containsKey(line);
        lines.computeIfAbsent(line, key -> new ArrayDeque<>()).add(parcel);
        return idle;
    }

    private void workElsewhere(Line line) {
        try {
            threads.execute(() -> work(line, true));
        } catch (RejectedExecutionException error) {
            fail(all(line), new P4Exception("closed", "This client has been closed. Nothing was sent.", Map.of(), error));
        }
    }

    /** Hands over what waits, to its end; or, for a thread that has its own to do, only the first of it. */
    private void work(Line line, boolean whole) {
        for (List<Parcel> together = take(line); !together.isEmpty(); together = take(line)) {
            P4Exception problem = hand(line, together);
            if (problem != null && problem.code().equals("no-daemon")) {
                // Who waited behind these has waited for the daemon, too.
                fail(waiting(line), problem);
            }
            if (!whole) {
                if (isMore(line)) {
                    workElsewhere(line);
                }
                return;
            }
        }
    }

    /** The next ones that go together; none ends the work on the line. */
    private synchronized List<Parcel> take(Line line) {
        Deque<Parcel> waiting = lines.get(line);
        List<Parcel> together = new ArrayList<>();
        int size = 0;
        while (!waiting.isEmpty()) {
            Parcel next = waiting.peekFirst();
            size += next.size();
            boolean fits = together.isEmpty()
                    || together.size() < MOST_VALUES && size <= MOST_BYTES && next.goesWith(together.get(0));
            if (!fits) {
                break;
            }
            together.add(waiting.removeFirst());
        }
        if (together.isEmpty()) {
            lines.remove(line);
        }
        return together;
    }

    private synchronized boolean isMore(Line line) {
        if (lines.get(line).isEmpty()) {
            lines.remove(line);
            return false;
        }
        return true;
    }

    private synchronized List<Parcel> waiting(Line line) {
        List<Parcel> waiting = List.copyOf(lines.get(line));
        lines.get(line).clear();
        return waiting;
    }

    /** How many wait behind requests that are under way. */
    synchronized int waiting() {
        return lines.values().stream().mapToInt(Deque::size).sum();
    }

    private synchronized List<Parcel> all(Line line) {
        return List.copyOf(lines.remove(line));
    }

    /** Hands over some that go together; gives the problem if there was one. Everybody is told. */
    private P4Exception hand(Line line, List<Parcel> parcels) {
        Parcel first = parcels.get(0);
        ObjectNode body = Wire.object().put("service", line.service());
        first.options().into(body);
        try {
            if (parcels.size() == 1) {
                body.setAll(first.value());
                first.receipt().complete(post.ask(line.path(), body));
                return null;
            }
            ArrayNode values = body.putArray("values");
            parcels.forEach(parcel -> values.add(parcel.value()));
            JsonNode receipts = post.ask(line.path() + "/batch", body).path("receipts");
            for (int i = 0; i < parcels.size(); i++) {
                parcels.get(i).receipt().complete(receipts.path(i));
            }
            return null;
        } catch (P4Exception problem) {
            if (parcels.size() > 1 && REFUSED.contains(problem.status())) {
                // All or none: one of them may be the reason, and the others are not to suffer from it.
                int half = parcels.size() / 2;
                hand(line, parcels.subList(0, half));
                return hand(line, parcels.subList(half, parcels.size()));
            }
            fail(parcels, problem);
            return problem;
        } catch (RuntimeException bug) { // of ours: nobody may wait for ever because of it
            fail(parcels, new P4Exception("internal-error", "The message may have been sent: " + bug, Map.of(), bug));
            return null;
        }
    }

    private static void fail(List<Parcel> parcels, P4Exception problem) {
        parcels.forEach(parcel -> parcel.receipt().completeExceptionally(problem));
    }
}

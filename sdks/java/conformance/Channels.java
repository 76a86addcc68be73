import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import p4.P4Exception;
import p4.client.Client;
import p4.client.DaemonEvent;
import p4.client.Datagram;
import p4.client.Datagrams;
import p4.client.Events;
import p4.client.IncomingCall;
import p4.client.Message;
import p4.client.MessageSubscription;
import p4.client.Serving;
import p4.client.Stream;

/** L1: what lives on between requests: subscriptions, served calls, streams, datagrams, events. */
final class Channels {
    private static final Duration FEED_PATIENCE = Duration.ofSeconds(30);

    private record Subscription(MessageSubscription messages, Map<String, Message> taken) {}

    private record Served(Serving serving, Semaphore cancelled) {}

    private final Local local;
    private final ExecutorService threads = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });
    private final Protocol.Handles<Subscription> messages = new Protocol.Handles<>("messages");
    private final Protocol.Handles<Served> serving = new Protocol.Handles<>("serving");
    private final Protocol.Handles<HeldStream> streams = new Protocol.Handles<>("stream");
    private final Protocol.Handles<Datagrams> datagrams = new Protocol.Handles<>("datagrams");
    private final Protocol.Handles<Events> events = new Protocol.Handles<>("events");

    Channels(Local local) {
        this.local = local;
    }

    void into(Map<String, Protocol.Operation> operations) {
        messages(operations);
        calls(operations);
        streams(operations);
        moments(operations);
    }

    private void messages(Map<String, Protocol.Operation> operations) {
        operations.put("messages.open", given -> {
            String service = Protocol.text(given, "service");
            MessageSubscription opened = given.has("contact")
                    ? local.contact(given).messages(service) : local.client(given).messages(service);
            messages.put(given, new Subscription(opened, new HashMap<>()));
            return Protocol.object();
        });
        operations.put("messages.next", given -> {
            Subscription subscription = messages.get(given);
            Message message = Protocol.inTime(subscription.messages().next(seconds(given)));
            subscription.taken().put(message.contact().id() + " " + message.id(), message);
            ObjectNode result = Protocol.object().put("id", message.id()).put("service", message.service())
                    .put("key", message.key());
            result.set("contact", Protocol.contact(message.contact()));
            return Protocol.with(result, message.value());
        });
        operations.put("messages.done", given -> {
            String key = Protocol.text(given, "contact_id") + " " + Protocol.text(given, "message_id");
            try {
                messages.get(given).taken().remove(key).done().get();
            } catch (ExecutionException error) {
                throw cause(error);
            }
            return Protocol.object();
        });
        operations.put("messages.close", given -> {
            messages.take(given).messages().close();
            return Protocol.object();
        });
    }

    private void calls(Map<String, Protocol.Operation> operations) {
        operations.put("serving.open", given -> {
            Semaphore cancelled = new Semaphore(0);
            Serving opened = local.client(given).serve(
                    Protocol.text(given, "service"), call -> answer(call, cancelled));
            serving.put(given, new Served(opened, cancelled));
            return Protocol.object();
        });
        operations.put("serving.cancelled", given -> Protocol.inTime(serving.get(given).cancelled()
                .tryAcquire(seconds(given).toMillis(), TimeUnit.MILLISECONDS)));
        operations.put("serving.close", given -> {
            serving.take(given).serving().close();
            return Protocol.object();
        });
    }

    private static Object answer(IncomingCall call, Semaphore cancelled) throws InterruptedException {
        switch (call.service().substring(call.service().lastIndexOf('.') + 1)) {
            case "echo":
                return call.argument();
            case "who":
                return call.contact().name();
            case "fail":
                throw IncomingCall.failure("too-hot", "It burns.", Map.of("degrees", 99));
            case "slow":
                try {
                    new CountDownLatch(1).await();
                    return null;
                } finally {
                    cancelled.release();
                }
            default:
                throw new IllegalStateException("private");
        }
    }

    private void streams(Map<String, Protocol.Operation> operations) {
        operations.put("stream.open", given -> hold(given, local.contact(given).stream(
                Protocol.text(given, "service"), Protocol.text(given, "name"))));
        operations.put("stream.accept", given -> {
            Stream accepted = accept(given);
            ObjectNode result = hold(given, accepted).put("name", accepted.name());
            return result.set("contact", Protocol.contact(accepted.contact()));
        });
        operations.put("stream.write", given -> {
            stream(given).output().write(Protocol.bytes(given, "bytes_b64"));
            return Protocol.object();
        });
        operations.put("stream.flush", given -> {
            stream(given).flush();
            return Protocol.object().put("written", stream(given).written());
        });
        operations.put("stream.end", given -> {
            stream(given).output().close();
            return Protocol.object();
        });
        operations.put("stream.read", given -> {
            HeldStream.Piece piece =
                    streams.get(given).read((int) Protocol.number(given, "length"), seconds(given));
            return Protocol.object().put("bytes_b64", Base64.getEncoder().encodeToString(piece.bytes()))
                    .put("at_end", piece.atEnd());
        });
        operations.put("stream.resume", given -> Protocol.object()
                .put("written", stream(given).written()).put("position", stream(given).position()));
        operations.put("stream.confirmed", given -> Protocol.inTime(
                stream(given).awaitConfirmed(Protocol.number(given, "offset"), seconds(given))));
        operations.put("stream.done", given -> Protocol.inTime(stream(given).awaitDone(seconds(given))));
        operations.put("stream.reset", given -> {
            stream(given).reset(Protocol.text(given, "reason"));
            return Protocol.object();
        });
        operations.put("stream.detach", given -> {
            streams.take(given).stream.close();
            return Protocol.object();
        });
    }

    private Stream stream(JsonNode given) {
        return streams.get(given).stream;
    }

    private ObjectNode hold(JsonNode given, Stream stream) {
        streams.put(given, new HeldStream(stream, threads));
        return Protocol.object().put("id", stream.id()).put("written", stream.written())
                .put("position", stream.position());
    }

    private Stream accept(JsonNode given) throws IOException, InterruptedException {
        String service = Protocol.text(given, "service");
        Client client = local.client(given);
        Future<Stream> accepting = threads.submit(() -> given.has("contact")
                ? local.contact(given).nextStream(service) : client.nextStream(service));
        try {
            return accepting.get(seconds(given).toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException error) {
            accepting.cancel(true);
            throw Protocol.timedOut();
        } catch (ExecutionException error) {
            throw cause(error);
        }
    }

    private void moments(Map<String, Protocol.Operation> operations) {
        operations.put("datagrams.open", given -> {
            datagrams.put(given, local.client(given).datagrams(Protocol.text(given, "service")));
            return Protocol.object();
        });
        operations.put("datagrams.send", given -> {
            datagrams.get(given).send(Protocol.text(given, "contact"), Protocol.bytes(given, "bytes_b64"));
            return Protocol.object();
        });
        operations.put("datagrams.next", given -> {
            Datagram found = Protocol.inTime(datagrams.get(given).next(seconds(given)));
            ObjectNode result = Protocol.object();
            result.set("contact", Protocol.contact(found.contact()));
            return result.put("bytes_b64", Base64.getEncoder().encodeToString(found.data()));
        });
        operations.put("datagrams.close", given -> {
            datagrams.take(given).close();
            return Protocol.object();
        });
        operations.put("events.open", given -> {
            Events opened = local.client(given).events(Protocol.texts(given, "types").toArray(String[]::new));
            String first = Protocol.inTime(opened.next(FEED_PATIENCE)).kind();
            if (!first.equals(Events.OPENED)) {
                throw new IllegalStateException("the first event is " + first);
            }
            events.put(given, opened);
            return Protocol.object();
        });
        operations.put("events.next", given -> {
            DaemonEvent event;
            do {
                event = Protocol.inTime(events.get(given).next(seconds(given)));
            } while (event.kind().equals(Events.OPENED));
            return Protocol.object().put("type", event.kind()).set("data", event.data());
        });
        operations.put("events.close", given -> {
            events.take(given).close();
            return Protocol.object();
        });
    }

    private static Duration seconds(JsonNode given) {
        return Protocol.seconds(given, "timeout_seconds");
    }

    /** The SDK's error out of a thread. */
    private static P4Exception cause(ExecutionException error) throws IOException {
        if (error.getCause() instanceof P4Exception cause) {
            return cause;
        }
        throw new IOException(error.getCause());
    }
}

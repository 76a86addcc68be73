package p4.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import p4.P4Exception;

/** Messages that are sent at a time: which requests become of them, and who gets which receipt or error. */
@Timeout(60)
final class OutboxTest {
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<String> asked = Collections.synchronizedList(new ArrayList<>());
    private final CountDownLatch goOn = new CountDownLatch(1);
    private volatile P4Exception refusal;
    private volatile String refused = "";

    /** Answers with the values; the first request takes until it may go on. */
    private final Outbox outbox = new Outbox(this::answer, threads);

    private JsonNode answer(String path, ObjectNode body) {
        JsonNode values = body.has("values") ? body.get("values") : Wire.MAPPER.createArrayNode().add(body);
        asked.add(path + " " + values.size() + " " + body.path("ttl").asText() + body.path("latest").asText());
        try {
            goOn.await();
        } catch (InterruptedException error) {
            throw Wire.interrupted(error);
        }
        ArrayNode receipts = Wire.MAPPER.createArrayNode();
        for (JsonNode value : values) {
            if (value.path("value").asText().equals(refused)) {
                throw refusal;
            }
            receipts.add(value.get("value"));
        }
        return body.has("values") ? Wire.object().set("receipts", receipts) : receipts.get(0);
    }

    @AfterEach
    void end() {
        threads.shutdownNow();
    }

    private List<CompletableFuture<JsonNode>> begin(int from, int to) {
        return IntStream.range(from, to).mapToObj(number -> outbox.begin("/c", "notes", number)).toList();
    }

    private void awaitAsked(int count) throws InterruptedException {
        while (asked.size() < count) {
            Thread.sleep(1);
        }
    }

    private static String outcome(CompletableFuture<JsonNode> receipt) throws Exception {
        try {
            return receipt.get(20, TimeUnit.SECONDS).asText();
        } catch (ExecutionException error) {
            return ((P4Exception) error.getCause()).code();
        }
    }

    @Test
    void whatWaitsBehindARequestGoesTogetherInItsOrder() throws Exception {
        List<CompletableFuture<JsonNode>> receipts = new ArrayList<>(begin(0, 1));
        awaitAsked(1);
        receipts.addAll(begin(1, 1201));
        goOn.countDown();
        for (int i = 0; i < receipts.size(); i++) {
            assertEquals(Integer.toString(i), outcome(receipts.get(i)));
        }
        assertEquals(List.of("/c 1 ", "/c/batch 500 ", "/c/batch 500 ", "/c/batch 200 "), asked);
    }

    @Test
    void theFirstOfSeveralThreadsDoesItsOwnAndLeavesTheOthersToAThread() throws Exception {
        List<CompletableFuture<String>> sent = new ArrayList<>();
        SendOptions mortal = SendOptions.expiring(Duration.ofSeconds(5));
        for (SendOptions options : List.of(SendOptions.NONE, mortal, mortal, SendOptions.latest("a"))) {
            sent.add(CompletableFuture.supplyAsync(
                    () -> outbox.send("/c", "notes", "x", options).asText(), threads));
            awaitAsked(1);
            while (outbox.waiting() < sent.size() - 1) {
                Thread.sleep(1);
            }
        }
        goOn.countDown();
        for (CompletableFuture<String> one : sent) {
            assertEquals("x", one.get(20, TimeUnit.SECONDS));
        }
        assertEquals(List.of("/c 1 ", "/c/batch 2 5.0", "/c 1 a"), asked);
        assertEquals(0, outbox.waiting());
    }

    @Test
    void aMessageThatIsRefusedTakesNoOtherWithIt() throws Exception {
        refusal = new P4Exception("too-large", "It is refused.", Map.of(), null, 413);
        refused = "37";
        goOn.countDown();
        List<CompletableFuture<JsonNode>> receipts = begin(0, 100);
        for (int i = 0; i < receipts.size(); i++) {
            assertEquals(i == 37 ? "too-large" : Integer.toString(i), outcome(receipts.get(i)));
        }
        assertTrue(asked.size() < 30, asked.toString());
    }

    @Test
    void whatMayHaveBeenAcceptedIsNotSentAgainAndNobodyWaitsTwiceForADaemon() throws Exception {
        refusal = new P4Exception("no-daemon", "It has gone.");
        refused = "0";
        List<CompletableFuture<JsonNode>> receipts = new ArrayList<>(begin(0, 1));
        awaitAsked(1);
        receipts.addAll(begin(1, 3));
        goOn.countDown();
        for (CompletableFuture<JsonNode> receipt : receipts) {
            assertEquals("no-daemon", outcome(receipt));
        }
        assertEquals(1, asked.size());
        refusal = new P4Exception("connection-lost", "It has gone.");
        assertThrows(P4Exception.class, () -> outbox.send("/c", "notes", 0, SendOptions.NONE));
        assertEquals("1", outbox.send("/c", "notes", 1, SendOptions.NONE).asText());
        assertEquals(3, asked.size());
    }
}

package p4.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import p4.P4Exception;

/** Everything of the client against two real daemons that stay. */
@Timeout(120)
@EnabledIfEnvironmentVariable(
        named = "P4_COMMAND", matches = ".+", disabledReason = "P4_COMMAND names no p4, so there is no daemon to ask")
final class ClientTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static DevicePair pair;

    @BeforeAll
    static void start() throws Exception {
        pair = new DevicePair();
        for (String service : List.of("notes", "ask", "films", "game", "chat")) {
            pair.onLaptop.contact("phone").grant(service);
            pair.onPhone.contact("laptop").grant(service);
        }
    }

    @AfterAll
    static void stop() throws Exception {
        pair.close();
    }

    @Test
    void whatWaitsWhenAClientIsClosedEndsWithIt() throws Exception {
        Client client = Client.connect(pair.laptop.state());
        DeviceInvite invite = client.pairing().create("link", Duration.ofMinutes(5), "nobody");
        Events events = client.events("link.up");
        MessageSubscription notes = client.messages("notes");
        List<CompletableFuture<String>> waiting = new ArrayList<>();
        for (Runnable wait : List.<Runnable>of(
                () -> client.pairing().await(invite.id()), () -> client.nextStream("films"),
                notes::next, events::next)) {
            CountDownLatch begun = new CountDownLatch(1);
            waiting.add(CompletableFuture.supplyAsync(() -> {
                begun.countDown();
                try {
                    while (true) {
                        wait.run();
                    }
                } catch (P4Exception error) {
                    return error.code();
                }
            }, runnable -> new Thread(runnable).start()));
            begun.await();
        }
        while (pair.onLaptop.services().stream().noneMatch(use -> use.acceptsStreams() > 0)) {
            Thread.sleep(20);
        }
        client.close();
        for (CompletableFuture<String> one : waiting) {
            assertTrue(List.of("closed", "interrupted").contains(one.get(5, TimeUnit.SECONDS)), one::join);
        }
        assertEquals("closed", assertThrows(P4Exception.class, () -> client.events()).code());
        pair.onLaptop.pairing().cancel(invite.id());
    }

    @Test
    void messagesOfManyThreadsKeepTheirOrderAndOneThatIsRefusedHarmsNoOther() throws Exception {
        Contact phone = pair.onLaptop.contact("phone");
        ExecutorService threads = Executors.newFixedThreadPool(8);
        List<Future<List<Receipt>>> sending = new ArrayList<>();
        for (int thread = 0; thread < 8; thread++) {
            int first = 100 * thread;
            sending.add(threads.submit(() -> {
                List<Receipt> receipts = new ArrayList<>();
                for (int number = first; number < first + 50; number++) {
                    receipts.add(phone.send("notes", number));
                }
                P4Exception refused =
                        assertThrows(P4Exception.class, () -> phone.send("notes", "x".repeat(1_200_000)));
                assertTrue(refused.status() >= 400, refused.toString());
                return receipts;
            }));
        }
        Set<String> ids = new HashSet<>();
        for (Future<List<Receipt>> sent : sending) {
            sent.get(60, TimeUnit.SECONDS).forEach(receipt -> ids.add(receipt.id()));
        }
        threads.shutdown();
        assertEquals(400, ids.size());
        int[] next = IntStream.range(0, 8).map(thread -> 100 * thread).toArray();
        try (MessageSubscription notes = pair.onPhone.messages("notes")) {
            for (int i = 0; i < 400; i++) {
                Message message = notes.next(Duration.ofSeconds(60));
                int number = message.value().json().asInt();
                assertEquals(next[number / 100]++, number); // in the order of its thread
                message.done();
            }
        }
    }

    @Test
    void identityAndStatus() {
        DeviceIdentity identity = pair.onLaptop.identity();
        assertEquals(identity.id(), p4.core.Keys.peerId(p4.core.Keys.decode(identity.publicKey())));
        assertEquals("laptop's name", pair.onLaptop.renameDevice("laptop's name").name());
        DeviceStatus status = pair.onLaptop.status();
        assertEquals(identity.id(), status.id());
        assertEquals(List.of("phone"), status.contacts().stream().map(ContactStatus::name).toList());
        assertTrue(pair.onLaptop.metrics().contains("# TYPE"));
        assertNotNull(pair.onLaptop.services());
    }

    @Test
    void contactsAndGrants() {
        Contact phone = pair.onLaptop.contact("PHONE");
        assertEquals(pair.onPhone.identity().id(), phone.status().id());
        assertTrue(phone.grant("more.rights").contains("more.rights"));
        assertTrue(!phone.revoke("more.rights").contains("more.rights"));
        Verification words = phone.verification();
        assertEquals(words.words(), pair.onPhone.contact("laptop").verification().words());
        assertEquals("verified", phone.verify(words.publicKey(), true).verification());
        assertTrue(phone.ping() > 0);
        P4Exception error = assertThrows(P4Exception.class, () -> pair.onLaptop.contact("nobody").status());
        assertEquals("unknown ContactError", error.code() + " " + error.type());
        assertEquals("bad-name", assertThrows(P4Exception.class, () -> pair.onLaptop.contact("a/b")).code());
    }

    @Test
    void messagesOfJsonAndBytes() throws Exception {
        Contact phone = pair.onLaptop.contact("phone");
        byte[] data = {0, 1, (byte) 255};
        try (MessageSubscription notes = pair.onPhone.messages("notes")) {
            Receipt receipt = phone.send("notes", Map.of("héllo", List.of(1, 2.5)));
            phone.send("notes", data, SendOptions.expiring(Duration.ofHours(1)));
            assertTrue(receipt.awaitDelivered(PATIENCE));
            Message first = notes.next();
            assertEquals("{\"héllo\":[1,2.5]}", first.value().toString());
            assertEquals("laptop", first.contact().label());
            assertEquals(receipt.id(), first.id());
            first.done().get(30, TimeUnit.SECONDS);
            assertTrue(receipt.awaitConsumed(PATIENCE));
            Message second = notes.next();
            assertArrayEquals(data, second.value().bytes());
            second.done();
        }
        try (MessageSubscription notes = pair.onPhone.messages("notes")) {
            assertNull(notes.next(Duration.ofMillis(300)));
        }
    }

    @Test
    void aPipelineKeepsTheOrder() throws Exception {
        pair.onPhone.contact("laptop").grant("notes.many");
        try (MessageSubscription many = pair.onPhone.messages("notes.many", 256);
                MessagePipeline pipeline = pair.onLaptop.contact("phone").pipeline("notes.many")) {
            List<CompletableFuture<Receipt>> receipts = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                receipts.add(pipeline.send(i));
            }
            for (int i = 0; i < 500; i++) {
                Message message = many.next();
                assertEquals(i, message.value().json().asInt());
                assertEquals(receipts.get(i).get(30, TimeUnit.SECONDS).id(), message.id());
                message.done();
            }
        }
    }

    @Test
    void chatIsInTheHistoryOfBoth() {
        Receipt receipt = pair.onLaptop.contact("phone").send("hi there");
        assertTrue(receipt.awaitDelivered(PATIENCE));
        List<ChatLine> lines = pair.onPhone.contact("laptop").chat().page(null, 10);
        ChatLine last = lines.get(lines.size() - 1);
        assertEquals("hi there", last.text());
        pair.onPhone.contact("laptop").chat().markRead(last.id());
    }

    @Test
    void callsAndTheirFailures() {
        try (Serving serving = pair.onPhone.serve("ask", call -> switch (call.argument().text()) {
                case "fail" -> throw IncomingCall.failure("no-milk", "There is none.", Map.of("left", 0));
                case "bug" -> throw new IllegalStateException("secret");
                default -> call.contact().label() + " asks " + call.argument().text();
            })) {
            Contact phone = pair.onLaptop.contact("phone");
            assertEquals("laptop asks why", phone.call("ask", "why").text());
            P4Exception failed = assertThrows(P4Exception.class, () -> phone.call("ask", "fail"));
            assertEquals("no-milk {left=0} true", failed.code() + " " + failed.data().get("data") + " "
                    + failed.mayHaveRun());
            P4Exception bug = assertThrows(P4Exception.class, () -> phone.call("ask", "bug"));
            assertEquals("internal", bug.code());
            assertTrue(!bug.getMessage().contains("secret"));
            P4Exception twice = assertThrows(P4Exception.class, () -> pair.onPhone.serve("ask", call -> null));
            assertEquals("already-served", twice.code());
        }
        assertThrows(P4Exception.class, () -> pair.onLaptop.contact("phone").call("ask", "why"));
    }

    @Test
    void streamsBothWays() throws Exception {
        byte[] film = new byte[3_000_000];
        new java.util.Random(1).nextBytes(film);
        CompletableFuture<byte[]> received = CompletableFuture.supplyAsync(() -> {
            try (Stream stream = pair.onPhone.nextStream("films")) {
                byte[] all = stream.input().readAllBytes();
                stream.output().write("thanks".getBytes(StandardCharsets.UTF_8));
                stream.output().close();
                assertTrue(stream.awaitDone(PATIENCE));
                return all;
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        });
        try (Stream stream = pair.onLaptop.contact("phone").stream("films", "film.mkv")) {
            assertEquals("films film.mkv phone", stream.service() + " " + stream.name() + " "
                    + stream.contact().label());
            stream.output().write(film);
            stream.flush();
            stream.output().close();
            assertEquals("thanks", new String(stream.input().readAllBytes(), StandardCharsets.UTF_8));
            assertTrue(stream.awaitDone(PATIENCE));
            assertEquals(film.length, stream.confirmed());
        }
        assertArrayEquals(film, received.get(60, TimeUnit.SECONDS));
    }

    @Test
    void aStreamThatIsResetSaysWhy() throws Exception {
        try (Stream stream = pair.onLaptop.contact("phone").stream("films", "broken")) {
            stream.output().write(1);
            try (Stream theirs = pair.onPhone.nextStream("films")) {
                assertArrayEquals(new byte[] {1}, theirs.read());
                theirs.reset("no room");
            }
            P4Exception error = assertThrows(P4Exception.class, stream::read);
            assertTrue(error.type().equals("StreamError"), error.toString());
        }
        P4Exception refused =
                assertThrows(P4Exception.class, () -> pair.onLaptop.contact("phone").stream("secret", "x"));
        assertEquals("not-granted", refused.code());
    }

    @Test
    void datagrams() {
        try (Datagrams here = pair.onLaptop.datagrams("game"); Datagrams there = pair.onPhone.datagrams("game")) {
            Datagram arrived = null;
            for (int i = 0; i < 100 && arrived == null; i++) { // each may be lost
                here.send("phone", new byte[] {7});
                arrived = there.next(Duration.ofMillis(200));
            }
            assertArrayEquals(new byte[] {7}, arrived.data());
            assertEquals("laptop", arrived.contact().label());
        }
    }

    @Test
    void eventsAndTokens() {
        try (Events events = pair.onLaptop.events("grants.changed")) {
            assertEquals(Events.OPENED, events.next().kind());
            pair.onLaptop.contact("phone").grant("of.events");
            DaemonEvent event = events.next(PATIENCE);
            assertEquals("grants.changed", event.kind());
        }
        TokenRecord made = pair.onLaptop.newToken("app", List.of("notes"), null, Duration.ofHours(1));
        String url = "http://127.0.0.1:" + Endpoint.find(pair.laptop.state()).url().replaceFirst(".*:", "");
        try (Client app = Client.connect(url, made.token())) {
            assertEquals("owner-only", assertThrows(P4Exception.class, app::status).code());
            app.contact("phone").send("notes.app", 1);
            try (MessageSubscription other = app.messages("other")) {
                assertEquals("not-granted", assertThrows(P4Exception.class, other::next).code());
            }
        }
        pair.onLaptop.revokeToken(made.id());
        assertEquals("bad-token", assertThrows(P4Exception.class, () -> Client.connect(url, made.token())).code());
    }

    @Test
    void withoutADaemonItSaysSoAtOnce() throws Exception {
        Path empty = Files.createTempDirectory("p4-none");
        assertEquals("no-daemon", assertThrows(P4Exception.class, () -> Client.connect(empty)).code());
        Files.delete(empty);
    }
}

package p4.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** kill -9 of daemons in the midst of work: the clients go on by themselves, and nothing is lost or doubled. */
@Timeout(240)
@EnabledIfEnvironmentVariable(
        named = "P4_COMMAND", matches = ".+", disabledReason = "P4_COMMAND names no p4, so there is no daemon to kill")
final class RestartTest {
    private DevicePair pair;

    @BeforeEach
    void start() throws Exception {
        pair = new DevicePair();
        pair.onPhone.contact("laptop").grant("notes", "films", "ask");
    }

    @AfterEach
    void stop() throws Exception {
        pair.close();
    }

    @Test
    void messagesComeOnceWhileTheDaemonOfTheReaderIsKilled() throws Exception {
        int count = 600;
        Contact phone = pair.onLaptop.contact("phone");
        phone.sendAll("notes", IntStream.range(0, count / 2).boxed().toList());
        List<Integer> got = new ArrayList<>();
        List<CompletableFuture<Void>> noted = new ArrayList<>();
        try (MessageSubscription notes = pair.onPhone.messages("notes", 32)) {
            for (int i = 0; i < count; i++) {
                if (i == 100 || i == 400) {
                    pair.phone.kill();
                    pair.phone.start();
                }
                if (i == 200) {
                    phone.sendAll("notes", IntStream.range(count / 2, count).boxed().toList());
                }
                Message message = notes.next();
                got.add(message.value().json().asInt());
                noted.add(message.done());
            }
            assertNull(notes.next(Duration.ofSeconds(2)));
        }
        assertEquals(IntStream.range(0, count).boxed().toList(), got);
        CompletableFuture.allOf(noted.toArray(CompletableFuture<?>[]::new)).get(30, TimeUnit.SECONDS);
        pair.phone.kill();
        pair.phone.start();
        try (MessageSubscription notes = pair.onPhone.messages("notes")) {
            assertNull(notes.next(Duration.ofSeconds(2)), "what is done comes again");
        }
    }

    @Test
    void aStreamGoesOnWhileBothDaemonsAreKilled() throws Exception {
        byte[] film = new byte[6_000_000];
        new Random(2).nextBytes(film);
        CompletableFuture<byte[]> received = new CompletableFuture<>();
        Thread reader = new Thread(() -> {
            try (Stream stream = pair.onPhone.nextStream("films")) {
                byte[] all = stream.input().readAllBytes();
                stream.output().close();
                stream.awaitDone(Duration.ofSeconds(60));
                received.complete(all);
            } catch (java.io.IOException | p4.P4Exception error) {
                received.completeExceptionally(error);
            }
        });
        reader.start();
        try (Stream stream = pair.onLaptop.contact("phone").stream("films", "film")) {
            for (int i = 0; i < 6; i++) {
                stream.output().write(film, i * 1_000_000, 1_000_000);
                if (i == 1) {
                    pair.phone.kill();
                    pair.phone.start();
                } else if (i == 3) {
                    pair.laptop.kill();
                    pair.laptop.start();
                }
            }
            stream.output().close();
            assertArrayEquals(film, received.get(120, TimeUnit.SECONDS));
            assertTrue(stream.awaitConfirmed(film.length, Duration.ofSeconds(60)));
        }
    }

    @Test
    void servingGoesOnAndEventsTellOfTheRestart() throws Exception {
        try (Serving serving = pair.onPhone.serve("ask", call -> "here");
                Events events = pair.onPhone.events("link.up")) {
            assertEquals("here", pair.onLaptop.contact("phone").call("ask", 1).text());
            assertEquals(Events.OPENED, events.next().kind());
            pair.phone.kill();
            pair.phone.start();
            while (!events.next().kind().equals(Events.OPENED)) {
                // what happened before it was killed
            }
            String answer = "";
            for (int i = 0; i < 60 && !answer.equals("here"); i++) {
                try {
                    answer = pair.onLaptop.contact("phone").call("ask", 2, Duration.ofSeconds(5)).text();
                } catch (p4.P4Exception error) {
                    Thread.sleep(500); // there is no link yet
                }
            }
            assertEquals("here", answer);
        }
    }
}

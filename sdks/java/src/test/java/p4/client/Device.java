package p4.client;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A device of a test: a directory, and a real daemon in it that asks nobody around. */
final class Device implements AutoCloseable {
    private final Path home;
    private final int signalPort;
    private Process daemon;

    Device(String name) throws IOException {
        home = Files.createTempDirectory("p4-" + name);
        signalPort = freePort();
    }

    /** What starts p4: the words of P4_COMMAND. */
    static List<String> command() {
        return Arrays.asList(System.getenv("P4_COMMAND").trim().split("\\s+"));
    }

    Path home() {
        return home;
    }

    Path state() {
        return home.resolve(".p4");
    }

    /** Starts the daemon; it answers a little later. */
    Device start() throws IOException {
        List<String> words = new ArrayList<>(command());
        words.addAll(List.of("up", "--plain", "--state-dir", state().toString(), "--mode", "direct", "--signal-port",
                Integer.toString(signalPort), "--stun-server", "", "--no-lan", "--no-direct-signaling",
                "--retry-seconds", "1"));
        ProcessBuilder builder = new ProcessBuilder(words).directory(home.toFile());
        builder.environment().put("HOME", home.toString());
        builder.redirectErrorStream(true).redirectOutput(home.resolve("daemon.log").toFile());
        daemon = builder.start();
        return this;
    }

    /** A client, as soon as the daemon answers. */
    Client client() throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (true) {
            try {
                return Client.connect(state());
            } catch (p4.P4Exception error) {
                if (System.nanoTime() > deadline || !daemon.isAlive()) {
                    throw error;
                }
                Thread.sleep(100);
            }
        }
    }

    /** kill -9 of the daemon. */
    void kill() throws InterruptedException {
        daemon.destroyForcibly();
        if (!daemon.waitFor(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the daemon does not end");
        }
    }

    @Override
    public void close() throws IOException {
        try {
            kill();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        try (Stream<Path> files = Files.walk(home)) {
            for (Path path : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}

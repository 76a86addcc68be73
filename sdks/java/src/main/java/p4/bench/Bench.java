package p4.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import p4.client.Client;
import p4.client.MessagePipeline;
import p4.client.Receipt;
import p4.core.Envelope;
import p4.core.Identity;

/**
 * Prints figures of this machine as lines of {@code name value unit}.
 *
 * <p>Arguments: {@code crypto [threads]}, or {@code send STATE_DIRECTORY CONTACT [count]}.
 */
public final class Bench {
    private Bench() {}

    /**
     * Runs one of the two.
     *
     * @param arguments see above
     * @throws Exception what went wrong
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length >= 1 && arguments[0].equals("crypto")) {
            crypto(arguments.length > 1 ? Integer.parseInt(arguments[1]) : 1);
        } else if (arguments.length >= 3 && arguments[0].equals("send")) {
            send(Path.of(arguments[1]), arguments[2], arguments.length > 3 ? Integer.parseInt(arguments[3]) : 5000);
        } else {
            System.err.println("crypto [threads] | send STATE_DIRECTORY CONTACT [count]");
            System.exit(2);
        }
    }

    /** An envelope is sealed, read and verified, as one operation. */
    private static void crypto(int threads) throws InterruptedException, ExecutionException {
        crypto(threads, 2000); // until the compiler has seen it
        crypto(threads, 5000);
    }

    private static void crypto(int threads, int each) throws InterruptedException, ExecutionException {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Long>> work = new ArrayList<>();
        long begin = System.nanoTime();
        for (int i = 0; i < threads; i++) {
            work.add(pool.submit(() -> sealAndVerify(each)));
        }
        long processor = 0;
        for (Future<Long> one : work) {
            processor += one.get();
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        pool.shutdown();
        System.out.printf("sign+verify, %d thread(s): %.0f /s, %.0f for each second of processor time%n",
                threads, threads * each / seconds, threads * each / (processor / 1e9));
    }

    /** Gives the processor time, nanoseconds. */
    private static long sealAndVerify(int count) {
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        long begin = clock.getCurrentThreadCpuTime();
        Identity sender = Identity.generate();
        String recipient = Identity.generate().peerId();
        byte[] key = sender.publicKey();
        byte[] nonce = new byte[Envelope.NONCE_BYTES];
        for (int i = 0; i < count; i++) {
            long now = System.currentTimeMillis();
            byte[] line = Envelope.seal(sender, recipient, Map.of("type", "ping", "session_id", "s" + i), now, nonce);
            Envelope.parse(line).verify(key, recipient, now);
        }
        return clock.getCurrentThreadCpuTime() - begin;
    }

    /** Each message is on the daemon's disk when its receipt is there. */
    private static void send(Path state, String contact, int count) throws InterruptedException, ExecutionException {
        try (Client me = Client.connect(state)) {
            for (int run = 0; run < 2; run++) { // the first is for the compiler
                List<CompletableFuture<Receipt>> receipts = new ArrayList<>();
                long begin = System.nanoTime();
                try (MessagePipeline pipeline = me.contact(contact).pipeline("bench")) {
                    for (int i = 0; i < count; i++) {
                        receipts.add(pipeline.send(Map.of("number", i, "text", "a short message")));
                    }
                }
                for (CompletableFuture<Receipt> receipt : receipts) {
                    receipt.get();
                }
                double seconds = (System.nanoTime() - begin) / 1e9;
                if (run == 1) {
                    System.out.printf("durable sends, pipelined: %.0f /s%n", count / seconds);
                }
            }
        }
    }
}

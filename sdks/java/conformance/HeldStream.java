import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import p4.P4Exception;
import p4.client.Stream;

/** A stream, and what was read of it and not asked for yet. */
final class HeldStream {
    final Stream stream;
    private final ExecutorService threads;
    private byte[] rest = new byte[0];
    private Future<byte[]> reading;

    HeldStream(Stream stream, ExecutorService threads) {
        this.stream = stream;
        this.threads = threads;
    }

    /** What was given of the stream, and whether it ended with that. */
    record Piece(byte[] bytes, boolean atEnd) {}

    /** Reads so many bytes. What was read when the time was over is there for the next request. */
    Piece read(int length, Duration patience) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + patience.toNanos();
        boolean atEnd = false;
        while (rest.length < length && !atEnd) {
            if (reading == null) {
                reading = threads.submit(stream::read);
            }
            byte[] piece = await(reading, deadline);
            reading = null;
            if (piece == null) {
                atEnd = true;
            } else {
                int before = rest.length;
                rest = Arrays.copyOf(rest, before + piece.length);
                System.arraycopy(piece, 0, rest, before, piece.length);
            }
        }
        byte[] given = Arrays.copyOf(rest, Math.min(length, rest.length));
        rest = Arrays.copyOfRange(rest, given.length, rest.length);
        stream.consumed(stream.position() - rest.length);
        return new Piece(given, atEnd);
    }

    private static byte[] await(Future<byte[]> piece, long deadline) throws IOException, InterruptedException {
        try {
            return piece.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException error) {
            throw Protocol.timedOut();
        } catch (ExecutionException error) {
            if (error.getCause() instanceof P4Exception cause) {
                throw cause;
            }
            throw new IOException(error.getCause());
        }
    }
}

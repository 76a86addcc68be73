package p4.client;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Objects;
import p4.P4Exception;

/** Our bytes as an OutputStream; closing it ends our direction. */
final class StreamOutput extends OutputStream {
    private static final int PIECE_BYTES = 256 * 1024;

    private final StreamLink link;
    private boolean closed;

    StreamOutput(StreamLink link) {
        this.link = link;
    }

    @Override
    public void write(int one) throws IOException {
        write(new byte[] {(byte) one}, 0, 1);
    }

    @Override
    public void write(byte[] source, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, source.length);
        try {
            for (int at = offset; at < offset + length; at += PIECE_BYTES) {
                link.write(Arrays.copyOfRange(source, at, Math.min(offset + length, at + PIECE_BYTES)));
            }
        } catch (P4Exception error) {
            throw new IOException(error.getMessage(), error);
        }
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            link.endWriting();
        } catch (P4Exception error) {
            throw new IOException(error.getMessage(), error);
        }
    }
}

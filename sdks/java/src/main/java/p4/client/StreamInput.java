package p4.client;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import p4.P4Exception;

/** The contact's bytes as an InputStream, which counts as consumed what was read before. */
final class StreamInput extends InputStream {
    /** So much may be read before the daemon is told, if more is there to be read. */
    private static final long TOLD = 256 * 1024;

    private final StreamLink link;
    private long told;

    StreamInput(StreamLink link) {
        this.link = link;
        this.told = link.position();
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, target.length);
        if (length == 0) {
            return 0;
        }
        try {
            long position = link.position();
            if (position > told && (position - told >= TOLD || link.available() == 0)) {
                tell(position);
            }
            byte[] piece = link.read(length);
            if (piece == null) {
                tell(link.position());
                return -1;
            }
            System.arraycopy(piece, 0, target, offset, piece.length);
            return piece.length;
        } catch (P4Exception error) {
            throw new IOException(error.getMessage(), error);
        }
    }

    private void tell(long position) {
        link.consumed(position);
        told = position;
    }

    @Override
    public int available() {
        return link.available();
    }
}

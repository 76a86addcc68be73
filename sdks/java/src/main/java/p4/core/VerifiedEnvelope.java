package p4.core;

import java.util.Map;

/**
 * A payload that its sender signed for us, recently. Only {@link Envelope#verify} makes one.
 *
 * <p>It proves neither that the envelope is new (see {@link ReplayWindow}) nor that the payload makes sense.
 */
public final class VerifiedEnvelope {
    private final String sender;
    private final long timestampMs;
    private final byte[] nonce;
    private final Map<String, Object> payload;

    VerifiedEnvelope(String sender, long timestampMs, byte[] nonce, Map<String, Object> payload) {
        this.sender = sender;
        this.timestampMs = timestampMs;
        this.nonce = nonce;
        this.payload = payload;
    }

    /**
     * Who sent it.
     *
     * @return a peer id
     */
    public String sender() {
        return sender;
    }

    /**
     * When, by the sender's clock.
     *
     * @return Unix time in milliseconds
     */
    public long timestampMs() {
        return timestampMs;
    }

    /**
     * What makes it the only one.
     *
     * @return 16 bytes
     */
    public byte[] nonce() {
        return nonce.clone();
    }

    /**
     * What was signed.
     *
     * @return a JSON object, see {@link Json}
     */
    public Map<String, Object> payload() {
        return payload;
    }
}

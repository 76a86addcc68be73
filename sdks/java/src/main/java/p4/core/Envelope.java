package p4.core;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Map;
import java.util.regex.Pattern;
import p4.P4Exception;

/**
 * A well-formed envelope of which nothing is proven (spec/envelope.md): use it to look up the sender's key, no more.
 * {@link #verify} gives what may be believed.
 */
public final class Envelope {
    /** {@code protocol_version} of every envelope. */
    public static final int PROTOCOL_VERSION = 1;
    /** Longest line with its end, bytes. */
    public static final int LINE_BYTES = 64 * 1024;
    /** Length of a nonce. */
    public static final int NONCE_BYTES = 16;
    /** Accepted difference of clocks, milliseconds: 24 hours. */
    public static final long MAX_SKEW_MS = 24L * 60 * 60 * 1000;

    private static final Pattern NONCE = Pattern.compile("[0-9a-f]{32}");

    private final String sender;
    private final String recipient;
    private final long timestampMs;
    private final byte[] nonce;
    private final Map<String, Object> payload;
    private final byte[] signature;

    private Envelope(Map<String, Object> fields) {
        // First of all: of an unknown version we know no other field.
        if (!(field(fields, "protocol_version") instanceof Long version)) {
            throw badField("protocol_version");
        }
        if (version != PROTOCOL_VERSION) {
            throw new P4Exception("bad-version", "The envelope is of protocol version " + version
                    + "; this program speaks " + PROTOCOL_VERSION + ".");
        }
        sender = peerId(fields, "sender_peer_id");
        recipient = peerId(fields, "recipient_peer_id");
        if (!(field(fields, "timestamp_ms") instanceof Long time) || time < 0) {
            throw badField("timestamp_ms");
        }
        timestampMs = time;
        if (!(field(fields, "nonce") instanceof String hex) || !NONCE.matcher(hex).matches()) {
            throw badField("nonce");
        }
        nonce = HexFormat.of().parseHex(hex);
        if (!(field(fields, "payload") instanceof Map<?, ?> content)) {
            throw badField("payload");
        }
        @SuppressWarnings("unchecked") // Json makes no other maps
        Map<String, Object> object = (Map<String, Object>) content;
        payload = Collections.unmodifiableMap(object);
        if (!(field(fields, "signature_b64") instanceof String text)) {
            throw badField("signature_b64");
        }
        signature = Keys.decodeSignature(text);
    }

    /**
     * Signs a payload for a recipient.
     *
     * @param identity the sender
     * @param recipient id of the only peer that will accept it
     * @param payload a JSON object, see {@link Json}
     * @param timestampMs Unix time in milliseconds
     * @param nonce 16 bytes that were never used before
     * @return one line of canonical JSON in UTF-8, without its line end
     * @throws P4Exception the payload has no canonical form, or {@code too-long}
     * @throws IllegalArgumentException nonce, recipient or time has the wrong form
     */
    public static byte[] seal(
            Identity identity, String recipient, Map<String, ?> payload, long timestampMs, byte[] nonce) {
        if (nonce.length != NONCE_BYTES) {
            throw new IllegalArgumentException("a nonce has 16 bytes, not " + nonce.length);
        }
        if (!Keys.isPeerId(recipient)) {
            throw new IllegalArgumentException("the recipient is not a peer id");
        }
        if (timestampMs < 0 || timestampMs > Json.SAFE_INTEGER) {
            throw new IllegalArgumentException("a time is from 0 to 2^53-1, not " + timestampMs);
        }
        StringBuilder text = signed(identity.peerId(), recipient, payload, timestampMs, nonce);
        String signature = Keys.encode(identity.sign(utf8(text)));
        // The signature's key comes between the others: one sorted text, written once.
        text.insert(text.lastIndexOf(",\"timestamp_ms\":"), ",\"signature_b64\":\"" + signature + "\"");
        byte[] line = utf8(text);
        if (line.length >= LINE_BYTES) {
            throw new P4Exception("too-long", "An envelope of " + line.length + " bytes does not fit into a line.");
        }
        return line;
    }

    /**
     * Reads an envelope and checks its form.
     *
     * @param line without its line end
     * @return of which nothing is proven
     * @throws P4Exception in this order {@code too-long}, a code of {@link Json#parseObject}, {@code bad-version},
     *     {@code missing-field}, {@code bad-field}
     */
    public static Envelope parse(byte[] line) {
        if (line.length >= LINE_BYTES) {
            throw new P4Exception("too-long", "The line is longer than " + LINE_BYTES + " bytes with its end.");
        }
        return new Envelope(Json.parseObject(line));
    }

    /**
     * Proves that the owner of a key sent this to us at about this time.
     *
     * <p>It may still be a repetition: next ask the sender's {@link ReplayWindow}, and act when that is on disk.
     *
     * @param publicKey raw key of the contact that {@link #sender} names
     * @param me our own id
     * @param nowMs Unix time in milliseconds
     * @return the verified content
     * @throws P4Exception in this order {@code wrong-sender}, {@code wrong-recipient}, {@code bad-time},
     *     {@code bad-signature}
     */
    public VerifiedEnvelope verify(byte[] publicKey, String me, long nowMs) {
        return verify(publicKey, Keys.peerId(publicKey), me, nowMs, MAX_SKEW_MS);
    }

    /**
     * As {@link #verify(byte[], String, long)}, with all choices.
     *
     * @param publicKey raw key of the contact that {@link #sender} names
     * @param contact id of the contact whose key it is; it keeps that of its first key (spec/rotation.md)
     * @param me our own id
     * @param nowMs Unix time in milliseconds
     * @param maxSkewMs accepted difference of clocks, either way
     * @return the verified content
     */
    public VerifiedEnvelope verify(byte[] publicKey, String contact, String me, long nowMs, long maxSkewMs) {
        if (!sender.equals(contact)) {
            throw new P4Exception("wrong-sender", "The envelope names another sender than the key belongs to.");
        }
        if (!recipient.equals(me)) {
            // A contact could pass on to us what somebody signed for him.
            throw new P4Exception("wrong-recipient", "The envelope is addressed to somebody else.");
        }
        if (Math.abs(nowMs - timestampMs) > maxSkewMs) {
            throw new P4Exception("bad-time", "The sender's clock and ours differ by more than "
                    + maxSkewMs / 3_600_000 + " hours. Correct the clock that is wrong.");
        }
        byte[] message = utf8(signed(sender, recipient, payload, timestampMs, nonce));
        if (!Keys.verify(publicKey, signature, message)) {
            throw new P4Exception("bad-signature", "The signature is not the sender's.");
        }
        return new VerifiedEnvelope(sender, timestampMs, nonce, payload);
    }

    /**
     * Who claims to have sent it.
     *
     * @return a peer id, unproven
     */
    public String sender() {
        return sender;
    }

    /**
     * To whom it is addressed.
     *
     * @return a peer id, unproven
     */
    public String recipient() {
        return recipient;
    }

    /** The canonical form of what is signed. Its own members are known: only the payload's need be sorted. */
    private static StringBuilder signed(
            String sender, String recipient, Map<String, ?> payload, long timestampMs, byte[] nonce) {
        StringBuilder text = new StringBuilder(384);
        text.append("{\"nonce\":\"").append(HexFormat.of().formatHex(nonce)).append("\",\"payload\":");
        Json.canonical(payload, 1, text);
        text.append(",\"protocol_version\":").append(PROTOCOL_VERSION);
        text.append(",\"recipient_peer_id\":\"").append(recipient);
        text.append("\",\"sender_peer_id\":\"").append(sender);
        return text.append("\",\"timestamp_ms\":").append(timestampMs).append('}');
    }

    private static byte[] utf8(StringBuilder text) {
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static Object field(Map<String, Object> fields, String key) {
        if (!fields.containsKey(key)) {
            throw new P4Exception("missing-field", "The envelope has no " + key + ".");
        }
        return fields.get(key);
    }

    private static P4Exception badField(String key) {
        return new P4Exception("bad-field", "The " + key + " of the envelope has the wrong form.");
    }

    private static String peerId(Map<String, Object> fields, String key) {
        if (field(fields, key) instanceof String text && Keys.isPeerId(text)) {
            return text;
        }
        throw badField(key);
    }
}

package p4.core;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import p4.P4Exception;

/**
 * An invite of version 1: who a peer is and where its signaling answers (spec/invite.md). It holds no secret.
 *
 * @param publicKey raw 32-byte Ed25519 key
 * @param rendezvous where the signaling of its owner answers
 */
public record Invite(byte[] publicKey, RendezvousAddress rendezvous) {
    /** Longest invite that is read, in bytes; a real one has about 300. */
    public static final int MAX_BYTES = 16 * 1024;

    private static final String SPACE = "\ufeff \t\r\n\u000b\f\u00a0";

    /**
     * Reads an invite from a file.
     *
     * @param data UTF-8 or UTF-16 with or without byte order mark; white space around the object is allowed
     * @return the invite
     * @throws P4Exception {@code too-large}, {@code not-utf8}, a code of {@link Json#parseObject},
     *     {@code missing-field}, {@code bad-field}, {@code bad-key}, {@code wrong-id}, {@code bad-transport},
     *     {@code bad-address} or {@code bad-port}
     */
    public static Invite parse(byte[] data) {
        if (data.length > MAX_BYTES) {
            throw tooLarge();
        }
        try {
            return parse(encoding(data).newDecoder().decode(ByteBuffer.wrap(data)).toString());
        } catch (CharacterCodingException error) {
            throw new P4Exception("not-utf8", "The file is neither UTF-8 nor UTF-16 text.", Map.of(), error);
        }
    }

    /**
     * Reads an invite that was pasted.
     *
     * @param text JSON, white space around it allowed
     * @return the invite
     * @throws P4Exception as {@link #parse(byte[])}
     */
    public static Invite parse(String text) {
        if (text.length() > MAX_BYTES) {
            throw tooLarge();
        }
        int begin = 0;
        int end = text.length();
        while (begin < end && SPACE.indexOf(text.charAt(begin)) >= 0) {
            begin++;
        }
        while (end > begin && SPACE.indexOf(text.charAt(end - 1)) >= 0) {
            end--;
        }
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text, begin, end));
            byte[] data = new byte[encoded.remaining()];
            encoded.get(data);
            return fromObject(Json.parseObject(data));
        } catch (CharacterCodingException error) {
            throw new P4Exception("bad-string", "The text has characters that cannot be read.", Map.of(), error);
        }
    }

    /**
     * Checks the JSON object of an invite. Unknown keys are ignored.
     *
     * @param fields see {@link Json}
     * @return the invite
     * @throws P4Exception as {@link #parse(byte[])}, from {@code missing-field} on
     */
    public static Invite fromObject(Map<String, ?> fields) {
        String peerId = string(fields, "peer_id");
        String encodedKey = string(fields, "public_key_b64");
        if (!(field(fields, "rendezvous") instanceof Map<?, ?> map)) {
            throw new P4Exception("bad-field", "The rendezvous of the invite is not an object.");
        }
        @SuppressWarnings("unchecked") // Json makes no other maps
        Map<String, ?> place = (Map<String, ?>) map;
        byte[] publicKey = Keys.decode(encodedKey);
        if (!Keys.isUsable(publicKey)) {
            throw new P4Exception("bad-key", "The key of the invite is not a safe Ed25519 public key.");
        }
        if (!peerId.equals(Keys.peerId(publicKey))) {
            throw new P4Exception("wrong-id", "The peer id of the invite does not belong to its key. Somebody changed "
                    + "it on the way, or it was copied in part. Ask for it again over another way.");
        }
        String transport = string(place, "transport");
        String host = string(place, "address");
        Object port = field(place, "port");
        if (!transport.equals("onion") && !transport.equals("direct")) {
            throw new P4Exception("bad-transport", "The invite names a transport that this program does not know.");
        }
        if (!(port instanceof Long number) || number < 1 || number > 65535) {
            throw new P4Exception("bad-port", "The port of the invite is not a whole number from 1 to 65535.");
        }
        return new Invite(publicKey, new RendezvousAddress(transport, host, number.intValue()));
    }

    /**
     * The id that belongs to the key.
     *
     * @return 24 hex digits
     */
    public String peerId() {
        return Keys.peerId(publicKey);
    }

    /**
     * The invite as version 1 prints it: indented by two blanks, without a final line end.
     *
     * @return JSON
     */
    public String toText() {
        return """
                {
                  "peer_id": "%s",
                  "public_key_b64": "%s",
                  "rendezvous": {
                    "transport": "%s",
                    "address": "%s",
                    "port": %d
                  }
                }""".formatted(peerId(), Keys.encode(publicKey), rendezvous.transport(), rendezvous.host(),
                rendezvous.port());
    }

    /** Windows shells redirect into UTF-16; an invite begins with ASCII, so a zero byte beside that gives it away. */
    private static Charset encoding(byte[] data) {
        if (data.length >= 2) {
            int first = data[0] & 0xff;
            int second = data[1] & 0xff;
            if (first == 0xff && second == 0xfe || second == 0 && first != 0) {
                return StandardCharsets.UTF_16LE;
            }
            if (first == 0xfe && second == 0xff || first == 0) {
                return StandardCharsets.UTF_16BE;
            }
        }
        return StandardCharsets.UTF_8;
    }

    private static P4Exception tooLarge() {
        return new P4Exception("too-large", "This is longer than " + MAX_BYTES + " bytes and cannot be an invite.");
    }

    private static Object field(Map<String, ?> fields, String key) {
        if (!fields.containsKey(key)) {
            throw new P4Exception("missing-field", "The invite has no " + key + ". It may be copied in part.");
        }
        return fields.get(key);
    }

    private static String string(Map<String, ?> fields, String key) {
        if (field(fields, key) instanceof String text) {
            return text;
        }
        throw new P4Exception("bad-field", "The " + key + " of the invite is not a string.");
    }
}

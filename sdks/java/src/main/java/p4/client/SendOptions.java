package p4.client;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;

/**
 * How a message is sent.
 *
 * @param ttl after this time it is of no use; null for never
 * @param latest a key: this value replaces earlier ones with the same key that have not arrived yet; empty for none
 */
public record SendOptions(Duration ttl, String latest) {
    /** Neither expires nor is replaced. */
    public static final SendOptions NONE = new SendOptions(null, "");

    /**
     * A message that expires.
     *
     * @param ttl when
     * @return options
     */
    public static SendOptions expiring(Duration ttl) {
        return new SendOptions(ttl, "");
    }

    /**
     * A message that replaces earlier ones.
     *
     * @param key which ones
     * @return options
     */
    public static SendOptions latest(String key) {
        return new SendOptions(null, key);
    }

    void into(ObjectNode body) {
        if (ttl != null) {
            body.put("ttl", ttl.toMillis() / 1e3);
        }
        if (!latest.isEmpty()) {
            body.put("latest", latest);
        }
    }
}

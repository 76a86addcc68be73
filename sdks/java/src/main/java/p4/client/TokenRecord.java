package p4.client;

import java.util.List;

/**
 * A token of an app.
 *
 * @param id names it
 * @param app for whom it is
 * @param services that it may use, each with all below it; null for all
 * @param contacts ids of those that it may reach; null for all
 * @param createdMs Unix milliseconds
 * @param expiresMs Unix milliseconds; null for never
 * @param token the secret: only in the answer to making it, else null
 */
public record TokenRecord(
        String id, String app, List<String> services, List<String> contacts, long createdMs, Long expiresMs,
        String token) {
    @Override
    public String toString() {
        return "TokenRecord " + id + " of " + app; // never the secret
    }
}

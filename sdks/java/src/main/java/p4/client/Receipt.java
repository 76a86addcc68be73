package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import p4.P4Exception;

/** One accepted message and what becomes of it. */
public sealed class Receipt permits ChatReceipt {
    /** The states of a message that arrives, in their order; the first and the last are those of chat only. */
    private static final List<String> PROGRESS = List.of("sending", "queued", "delivered", "consumed", "seen");

    private static final long WAIT_SECONDS = 30;

    final Client client;
    final String contact;
    private final String id;
    volatile String state;

    Receipt(Client client, String contact, String id, String state) {
        this.client = client;
        this.contact = contact;
        this.id = id;
        this.state = state;
    }

    static Receipt read(Client client, String contact, JsonNode entry) {
        // By its id, where that was told: it may be called otherwise by the time somebody waits.
        String known = entry.path("contact").path("id").asText(contact);
        return new Receipt(client, known, entry.path("id").asText(), entry.path("state").asText("queued"));
    }

    /**
     * The id of the message.
     *
     * @return names it for ever; the contact's application sees the same
     */
    public String id() {
        return id;
    }

    /**
     * How far it is, as far as this receipt has been told.
     *
     * @return {@code queued}, {@code delivered}, {@code consumed} or {@code dropped}; of chat also {@code sending},
     *     {@code seen} and {@code failed}
     */
    public String state() {
        return state;
    }

    /**
     * Waits until it is on the contact's disk.
     *
     * @param patience how long at most
     * @return whether it is
     * @throws P4Exception it never will be, with the reason as code; {@code unknown}: the daemon has restarted since
     *     and does not remember, and the message arrives all the same
     */
    public boolean awaitDelivered(Duration patience) {
        return await("delivered", patience);
    }

    /**
     * Waits until the contact's application has taken it.
     *
     * @param patience how long at most
     * @return whether it has
     * @throws P4Exception as {@link #awaitDelivered}
     */
    public boolean awaitConsumed(Duration patience) {
        return await("consumed", patience);
    }

    boolean await(String wanted, Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        String path = "/v1/contacts/" + Wire.quoted(contact) + "/receipts/" + Wire.quoted(id);
        while (!hasCome(wanted)) {
            double left = (deadline - System.nanoTime()) / 1e9;
            if (left <= 0) {
                return false;
            }
            String query = Wire.query(Map.of("wait", wanted, "timeout", Math.min(left, WAIT_SECONDS)));
            JsonNode entry = client.request("GET", path + query, null);
            state = entry.path("state").asText();
            if (state.equals("dropped")) {
                String reason = entry.path("reason").asText("dropped");
                throw new P4Exception(reason, "The message will not arrive: " + reason + ".");
            }
        }
        return true;
    }

    final boolean hasCome(String wanted) {
        return PROGRESS.indexOf(state) >= PROGRESS.indexOf(wanted);
    }

    @Override
    public String toString() {
        return "Receipt " + id + " " + state;
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Map;
import p4.P4Exception;

/** One thing that was said. It stands in the history: what becomes of it is known after restarts, too. */
final class ChatReceipt extends Receipt {
    private final String place;

    ChatReceipt(Client client, String contact, ChatLine line) {
        super(client, contact, line.messageId(), line.state());
        this.place = line.id();
    }

    @Override
    boolean await(String wanted, Duration patience) {
        if (hasCome(wanted)) {
            return true;
        }
        long deadline = System.nanoTime() + patience.toNanos();
        try (Events events = client.events("chat.receipt")) {
            while (!hasCome(wanted)) {
                DaemonEvent event = events.next(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
                if (event == null) {
                    return false;
                }
                look(event);
            }
        }
        return true;
    }

    private void look(DaemonEvent event) {
        JsonNode entries = event.data().get("entries");
        if (entries == null) { // it may have come further while nobody told
            String query = Wire.query(Map.of("before", Long.parseLong(place) + 1, "limit", 1));
            entries = client.request("GET", "/v1/chat/" + Wire.quoted(contact) + query, null).path("entries");
        }
        for (JsonNode entry : entries) {
            if (entry.path("id").asText().equals(place)) {
                state = entry.path("state").asText();
                if (state.equals("failed")) {
                    // What is said neither expires nor is it replaced: the contact does not take it.
                    throw new P4Exception("refused", entry.path("reason").asText());
                }
            }
        }
    }
}

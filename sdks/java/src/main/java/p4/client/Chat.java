package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What is said with one contact: the history that {@code p4 chat} and the web page show. */
public final class Chat {
    private final Client client;
    private final String path;

    Chat(Client client, String contact) {
        this.client = client;
        this.path = "/v1/chat/" + Wire.quoted(contact);
    }

    /**
     * A part of the history.
     *
     * @param before only what stands before the line of this id; null for the latest
     * @param limit how many at most
     * @return the oldest first
     */
    public List<ChatLine> page(String before, int limit) {
        Map<String, Object> parameters = new HashMap<>();
        parameters.put("before", before);
        parameters.put("limit", limit);
        List<ChatLine> lines = new ArrayList<>();
        for (JsonNode entry : client.request("GET", path + Wire.query(parameters), null).path("entries")) {
            lines.add(Wire.record(entry, ChatLine.class));
        }
        return lines;
    }

    /**
     * Says something.
     *
     * @param text for a person
     * @return on disk
     */
    public ChatLine say(String text) {
        return Wire.record(client.request("POST", path, Wire.object().put("text", text)), ChatLine.class);
    }

    /**
     * A person was shown everything up to a line; the contact is told.
     *
     * @param through id of the line
     */
    public void markRead(String through) {
        client.request("POST", path + "/read", Wire.object().put("through", through), true, DaemonConnection.ANSWER);
    }

    /** A person is writing to the contact; say it as often as you like. */
    public void typing() {
        client.request("POST", path + "/typing", null);
    }
}

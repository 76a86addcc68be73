package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;
import p4.P4Exception;

/**
 * A contact asks.
 *
 * @param contact who
 * @param service which one was meant, of those that the handler serves
 * @param argument JSON or bytes
 * @param remaining seconds until the caller gives up, when the call arrived
 */
public record IncomingCall(ContactName contact, String service, Value argument, double remaining) {
    /**
     * What a handler throws to tell the caller why there is no result; any other exception becomes {@code internal},
     * and its text stays here.
     *
     * @param code for the caller's program
     * @param message for a person
     * @param data any JSON value that Jackson writes, or null
     * @return to be thrown
     */
    public static P4Exception failure(String code, String message, Object data) {
        Map<String, Object> parts = new LinkedHashMap<>();
        parts.put("type", "CallFailed");
        parts.put("data", data);
        return new P4Exception(code, message, parts, null);
    }

    static IncomingCall read(JsonNode entry) {
        return new IncomingCall(Wire.record(entry.path("contact"), ContactName.class), entry.path("service").asText(),
                Value.from(entry), entry.path("remaining").asDouble());
    }
}

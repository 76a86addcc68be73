package p4.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Map;
import p4.P4Exception;

/** What is sent and what arrives: bytes, or JSON. */
public final class Value {
    private final JsonNode json;
    private final byte[] bytes;

    private Value(JsonNode json, byte[] bytes) {
        this.json = json;
        this.bytes = bytes;
    }

    /**
     * A value of what a program has.
     *
     * @param content {@code byte[]} for bytes, a {@code Value}, or anything that Jackson writes as JSON: null, a
     *     string, a number, a boolean, a list, a map, a record, a {@link JsonNode}
     * @return the value
     * @throws P4Exception {@code bad-value}: Jackson cannot write it
     */
    public static Value of(Object content) {
        if (content instanceof Value value) {
            return value;
        }
        if (content instanceof byte[] data) {
            return new Value(null, data.clone());
        }
        try {
            return new Value(Wire.MAPPER.valueToTree(content), null);
        } catch (IllegalArgumentException error) {
            throw new P4Exception("bad-value", "This value cannot be written as JSON.", Map.of(), error);
        }
    }

    /**
     * Whether these are bytes.
     *
     * @return false for JSON
     */
    public boolean isBytes() {
        return bytes != null;
    }

    /**
     * The bytes.
     *
     * @return what was sent
     * @throws P4Exception {@code not-bytes}: it is JSON
     */
    public byte[] bytes() {
        if (bytes == null) {
            throw new P4Exception("not-bytes", "This value is JSON, not bytes.");
        }
        return bytes.clone();
    }

    /**
     * The JSON.
     *
     * @return any JSON value, also null's node
     * @throws P4Exception {@code not-json}: these are bytes
     */
    public JsonNode json() {
        if (json == null) {
            throw new P4Exception("not-json", "This value is bytes, not JSON.");
        }
        return json;
    }

    /**
     * The JSON as an object of a class that Jackson can read, a record for example.
     *
     * @param type its class
     * @param <T> its class
     * @return a new object
     * @throws P4Exception {@code not-json}: these are bytes; {@code bad-value}: it does not fit
     */
    public <T> T as(Class<T> type) {
        try {
            return Wire.MAPPER.treeToValue(json(), type);
        } catch (JsonProcessingException error) {
            throw new P4Exception("bad-value", "This value is no " + type.getSimpleName() + ".", Map.of(), error);
        }
    }

    /**
     * The text of a JSON string.
     *
     * @return without quotes
     * @throws P4Exception {@code not-text}: it is anything else
     */
    public String text() {
        if (json == null || !json.isTextual()) {
            throw new P4Exception("not-text", "This value is no text.");
        }
        return json.textValue();
    }

    /** For people: JSON as it is, of bytes their number. */
    @Override
    public String toString() {
        return bytes != null ? bytes.length + " bytes" : json.isTextual() ? json.textValue() : json.toString();
    }

    /** Writes the value into a request; gives about how many bytes it takes there. */
    int into(ObjectNode body) {
        if (bytes != null) {
            body.put("base64", bytes);
            return bytes.length / 3 * 4 + 32;
        }
        body.set("value", json);
        return json.isTextual() ? 3 * json.textValue().length() + 32 : Wire.text(json).length() * 3 + 32;
    }

    static Value from(JsonNode entry) {
        JsonNode encoded = entry.get("base64");
        if (encoded != null && encoded.isTextual()) {
            try {
                return new Value(null, encoded.binaryValue());
            } catch (IOException error) {
                throw new P4Exception("bad-body", "The daemon sent what is no base64.", Map.of(), error);
            }
        }
        if (entry.has("value")) {
            return new Value(entry.get("value"), null);
        }
        throw new P4Exception("bad-body",
                entry.path("problem").asText("It has neither a JSON value nor bytes."));
    }
}

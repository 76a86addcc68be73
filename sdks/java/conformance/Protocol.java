import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import p4.P4Exception;
import p4.client.ContactName;
import p4.client.Value;

/** What all operations have in common. */
final class Protocol {
    static final ObjectMapper MAPPER = new ObjectMapper();

    private Protocol() {}

    /** What a request asks for. */
    @FunctionalInterface
    interface Operation {
        ObjectNode run(JsonNode given) throws Exception;
    }

    static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    static String text(JsonNode given, String name) {
        return required(given, name).asText();
    }

    static long number(JsonNode given, String name) {
        return required(given, name).asLong();
    }

    static Duration seconds(JsonNode given, String name) {
        return Duration.ofNanos(Math.round(required(given, name).asDouble() * 1e9));
    }

    static byte[] bytes(JsonNode given, String name) {
        try {
            return required(given, name).binaryValue();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** A list of texts; null for null. */
    static List<String> texts(JsonNode given, String name) {
        JsonNode list = required(given, name);
        if (list.isNull()) {
            return null;
        }
        List<String> texts = new ArrayList<>();
        list.forEach(one -> texts.add(one.asText()));
        return texts;
    }

    private static JsonNode required(JsonNode given, String name) {
        JsonNode found = given.get(name);
        if (found == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return found;
    }

    /** The value among the arguments: JSON, or bytes. */
    static Value value(JsonNode given) {
        return Value.of(given.has("base64") ? bytes(given, "base64") : required(given, "value"));
    }

    /** Adds a value as members of a result. */
    static ObjectNode with(ObjectNode result, Value value) {
        if (value.isBytes()) {
            return result.put("base64", value.bytes());
        }
        return result.set("value", value.json());
    }

    static ObjectNode contact(String id, String name) {
        return object().put("id", id).put("name", name);
    }

    static ObjectNode contact(ContactName contact) {
        return contact(contact.id(), contact.name());
    }

    static ArrayNode list(Collection<String> texts) {
        ArrayNode list = MAPPER.createArrayNode();
        texts.forEach(list::add);
        return list;
    }

    static P4Exception timedOut() {
        return new P4Exception("timeout", "Nothing came in time.");
    }

    /** What came in time; nothing is an error. */
    static <T> T inTime(T found) {
        if (found == null) {
            throw timedOut();
        }
        return found;
    }

    static ObjectNode inTime(boolean came) {
        if (!came) {
            throw timedOut();
        }
        return object();
    }

    /** Things by their handles. */
    static final class Handles<T> {
        private final String kind;
        private final Map<String, T> things = new HashMap<>();

        Handles(String kind) {
            this.kind = kind;
        }

        void put(JsonNode given, T thing) {
            things.put(text(given, kind), thing);
        }

        T get(JsonNode given) {
            return found(things.get(text(given, kind)));
        }

        T take(JsonNode given) {
            return found(things.remove(text(given, kind)));
        }

        Collection<T> all() {
            return things.values();
        }

        private T found(T thing) {
            if (thing == null) {
                throw new P4Exception("no-handle", "There is no such " + kind + ".");
            }
            return thing;
        }
    }
}

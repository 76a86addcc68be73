package p4.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import p4.P4Exception;

/** The daemon's JSON, paths, and errors (spec/daemon-api, "Rules for all routes"). */
final class Wire {
    static final ObjectMapper MAPPER = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES) // additions come without notice
            .build();
    /** Names of records are Java's, those of the daemon are snake_case. */
    private static final ObjectMapper RECORDS =
            MAPPER.copy().setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE);
    private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

    private Wire() {}

    static <T> T record(JsonNode node, Class<T> type) {
        try {
            return RECORDS.treeToValue(node, type);
        } catch (JsonProcessingException error) {
            throw new P4Exception("bad-answer", "The daemon's answer has another form than expected.", Map.of(), error);
        }
    }

    static byte[] bytes(JsonNode node) {
        return text(node).getBytes(StandardCharsets.UTF_8);
    }

    static String text(JsonNode node) {
        try {
            return MAPPER.writeValueAsString(node);
        } catch (JsonProcessingException error) {
            throw new P4Exception("bad-value", "This value cannot be written as JSON.", Map.of(), error);
        }
    }

    static JsonNode parse(byte[] data) {
        try {
            return MAPPER.readTree(data);
        } catch (IOException error) {
            throw new P4Exception("bad-answer", "The daemon answered with what is no JSON.", Map.of(), error);
        }
    }

    static JsonNode parse(String text) {
        return parse(text.getBytes(StandardCharsets.UTF_8));
    }

    static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    /** A name or id as one part of a path. */
    static String quoted(String part) {
        if (part.isEmpty() || part.equals(".") || part.equals("..") || part.contains("/")) {
            // Servers take %2F for a slash, and look for another route.
            throw new P4Exception("bad-name", "'" + part + "' cannot name anything. Nothing was done. "
                    + "For a contact with such a name use the beginning of its id.");
        }
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** A query with its question mark; parameters without a value are left out. */
    static String query(Map<String, ?> parameters) {
        StringBuilder query = new StringBuilder();
        parameters.forEach((name, value) -> {
            if (value != null && !value.equals("")) {
                query.append(query.isEmpty() ? '?' : '&').append(name).append('=')
                        .append(URLEncoder.encode(value.toString(), StandardCharsets.UTF_8));
            }
        });
        return query.toString();
    }

    /** The error of an answer, whatever its body is. */
    static P4Exception error(int status, byte[] body) {
        try {
            JsonNode entry = MAPPER.readTree(body).path("error");
            if (entry.path("code").isTextual() && entry.path("message").isTextual()) {
                return error(entry, status);
            }
        } catch (IOException error) {
            return unexplained(status, error);
        }
        return unexplained(status, null);
    }

    /** The error that {@code {"code", "message", "data"}} describes. */
    static P4Exception error(JsonNode entry) {
        return error(entry, 0);
    }

    private static P4Exception error(JsonNode entry, int status) {
        Map<String, Object> data = entry.path("data").isObject()
                ? MAPPER.convertValue(entry.get("data"), OBJECT) : new LinkedHashMap<>();
        return new P4Exception(entry.path("code").asText(), entry.path("message").asText(), data, null, status);
    }

    private static P4Exception unexplained(int status, Throwable cause) {
        return new P4Exception("status-" + status, "The daemon answered with status " + status
                + " and without a reason. What was accepted before is safe. Look into its log: p4 log",
                Map.of(), cause, status);
    }

    static P4Exception interrupted(InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new P4Exception("interrupted", "This thread was interrupted while it waited.", Map.of(), cause);
    }
}

package p4.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import p4.P4Exception;

/** Every file of vectors/ that concerns the core: the layer, the code and the value must be as it says. */
final class VectorsTest {
    private static final Path ROOT = Path.of(System.getProperty("p4.vectors"));
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final Set<String> JSON_CODES = Set.of(
            "not-utf8", "not-json", "not-object", "duplicate-key", "bad-number", "bad-string", "too-deep");

    /** By kind and operation, what the input consists of. */
    private static final Map<String, Set<String>> INPUT = Map.of(
            "identity derive", Set.of("seed_b64"),
            "identity key", Set.of("public_key_b64"),
            "identity verify", Set.of("public_key_b64", "message_hex", "signature_b64"),
            "canonical parse", Set.of("bytes"),
            "envelope verify", Set.of("line", "public_key_b64", "me", "now_ms", "max_skew_ms"),
            "replay steps", Set.of("capacity", "steps"),
            "invite parse", Set.of("bytes"));

    private record Outcome(String layer, String code, Object value) {}

    @TestFactory
    Stream<DynamicTest> everyVector() throws IOException {
        List<Path> paths;
        try (Stream<Path> found = Files.walk(ROOT, 2)) {
            paths = found.filter(path -> path.getNameCount() == ROOT.getNameCount() + 2)
                    .filter(path -> path.toString().endsWith(".json")).sorted().toList();
        }
        Set<String> kinds = new TreeSet<>();
        INPUT.keySet().forEach(operation -> kinds.add(operation.split(" ")[0]));
        Map<String, Integer> skipped = new TreeMap<>();
        List<DynamicTest> tests = new ArrayList<>();
        for (Path path : paths) {
            String kind = path.getParent().getFileName().toString();
            if (kinds.contains(kind)) {
                tests.add(DynamicTest.dynamicTest(kind + "/" + path.getFileName(), () -> run(path, kind)));
            } else {
                skipped.merge(kind, 1, Integer::sum);
            }
        }
        System.out.println("vectors: " + tests.size() + " run; of other kinds, skipped: " + skipped);
        assertTrue(tests.size() >= 190, "only " + tests.size() + " vectors in " + ROOT);
        return tests.stream();
    }

    private static void run(Path path, String kind) throws IOException {
        JsonNode vector = MAPPER.readTree(path.toFile());
        Set<String> known = Set.of("kind", "operation", "comment", "input", "expect", "v1_deviates", "v1_looser");
        assertTrue(known.containsAll(names(vector)), "unknown keys in " + names(vector));
        assertEquals(kind, vector.get("kind").asText());
        String operation = kind + " " + vector.get("operation").asText();
        assertTrue(INPUT.containsKey(operation), "unknown operation " + operation);
        JsonNode input = vector.get("input");
        assertEquals(INPUT.get(operation), names(input));
        JsonNode expect = vector.get("expect");
        boolean good = expect.get("code").asText().equals("ok");
        assertEquals(good ? Set.of("layer", "code", "value") : Set.of("layer", "code"), names(expect));
        Outcome outcome = outcome(operation, input);
        assertEquals(expect.get("layer").asText() + " " + expect.get("code").asText(),
                outcome.layer() + " " + outcome.code());
        if (good) {
            Object value = Json.parse(MAPPER.writeValueAsBytes(expect.get("value")));
            assertEquals(text(value), text(outcome.value()));
        }
    }

    private static Outcome outcome(String operation, JsonNode input) {
        return switch (operation) {
            case "identity derive" -> {
                Identity identity = Identity.fromSeed(Keys.decode(input.get("seed_b64").asText()));
                yield new Outcome("identity", "ok", Map.of(
                        "public_key_b64", Keys.encode(identity.publicKey()), "peer_id", identity.peerId()));
            }
            case "identity key" -> attempt("identity", () -> {
                byte[] key = Keys.decode(input.get("public_key_b64").asText());
                if (!Keys.isUsable(key)) {
                    throw new P4Exception("bad-key", "");
                }
                return Map.of("peer_id", Keys.peerId(key));
            });
            case "identity verify" -> {
                boolean good = Keys.verify(Keys.decode(input.get("public_key_b64").asText()),
                        Base64.getDecoder().decode(input.get("signature_b64").asText()),
                        HexFormat.of().parseHex(input.get("message_hex").asText()));
                yield new Outcome("identity", good ? "ok" : "bad-signature", Map.of());
            }
            case "canonical parse" -> attempt("json", () -> Map.of("canonical", new String(
                    Json.canonical(Json.parseObject(bytes(input.get("bytes")))), StandardCharsets.UTF_8)));
            case "envelope verify" -> envelope(input);
            case "replay steps" -> replay(input);
            case "invite parse" -> invite(bytes(input.get("bytes")));
            default -> fail(operation);
        };
    }

    private static Outcome envelope(JsonNode input) {
        Envelope envelope;
        try {
            envelope = Envelope.parse(bytes(input.get("line")));
        } catch (P4Exception error) {
            String layer = error.code().equals("too-long") ? "line" : JSON_CODES.contains(error.code()) ? "json" : "form";
            return new Outcome(layer, error.code(), null);
        }
        byte[] key = Keys.decode(input.get("public_key_b64").asText());
        return attempt("trust", () -> {
            VerifiedEnvelope verified = envelope.verify(key, Keys.peerId(key), input.get("me").asText(),
                    input.get("now_ms").asLong(), input.get("max_skew_ms").asLong());
            return Map.of("sender", verified.sender(), "timestamp_ms", verified.timestampMs(),
                    "nonce_hex", HexFormat.of().formatHex(verified.nonce()), "payload", verified.payload());
        });
    }

    private static Outcome replay(JsonNode input) {
        ReplayWindow window = new ReplayWindow(0, List.of(), input.get("capacity").asInt());
        int count = input.get("steps").size();
        for (int i = 0; i < count; i++) {
            JsonNode step = input.get("steps").get(i);
            try {
                window = switch (String.join(" ", new TreeSet<>(names(step)))) {
                    case "nonce_hex timestamp_ms" -> window.accept(
                            HexFormat.of().parseHex(step.get("nonce_hex").asText()), step.get("timestamp_ms").asLong());
                    case "prune_now_ms" -> window.prune(step.get("prune_now_ms").asLong());
                    case "restart" -> new ReplayWindow(
                            window.floorMs(), window.entries(), input.get("capacity").asInt());
                    default -> fail("unknown step " + step);
                };
            } catch (P4Exception error) {
                assertEquals(count - 1, i, "refused before the last step");
                return new Outcome("replay", error.code(), null);
            }
        }
        return new Outcome("replay", "ok",
                Map.of("floor_ms", window.floorMs(), "entries", (long) window.entries().size()));
    }

    private static Outcome invite(byte[] data) {
        try {
            Invite invite = Invite.parse(data);
            RendezvousAddress place = invite.rendezvous();
            Map<String, Object> value = new LinkedHashMap<>();
            value.put("peer_id", invite.peerId());
            value.put("public_key_b64", Keys.encode(invite.publicKey()));
            value.put("transport", place.transport());
            value.put("address", place.host());
            value.put("port", (long) place.port());
            assertEquals(place, Invite.parse(invite.toText()).rendezvous());
            return new Outcome("invite", "ok", value);
        } catch (P4Exception error) {
            String layer = Set.of("too-large", "not-utf8").contains(error.code()) ? "text"
                    : JSON_CODES.contains(error.code()) ? "json" : "invite";
            return new Outcome(layer, error.code(), null);
        }
    }

    private interface Work {
        Object run();
    }

    private static Outcome attempt(String layer, Work work) {
        try {
            return new Outcome(layer, "ok", work.run());
        } catch (P4Exception error) {
            return new Outcome(layer, error.code(), null);
        }
    }

    private static String text(Object value) {
        return new String(Json.canonical(value), StandardCharsets.UTF_8);
    }

    private static Set<String> names(JsonNode object) {
        Set<String> names = new TreeSet<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static byte[] bytes(JsonNode given) {
        assertEquals(1, given.size());
        return given.has("text") ? given.get("text").asText().getBytes(StandardCharsets.UTF_8)
                : HexFormat.of().parseHex(given.get("hex").asText());
    }
}

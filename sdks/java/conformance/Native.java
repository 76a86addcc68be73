import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import p4.P4Exception;
import p4.core.Envelope;
import p4.core.Identity;
import p4.core.Invite;
import p4.core.Json;
import p4.core.Keys;
import p4.core.RendezvousAddress;
import p4.core.ReplayWindow;
import p4.core.VerifiedEnvelope;

/** L2: what needs no daemon. */
final class Native {
    private static final HexFormat HEX = HexFormat.of();

    private Native() {}

    static void into(Map<String, Protocol.Operation> operations) {
        operations.put("identity.derive", given -> entry(Identity.fromSeed(seed(given))));
        operations.put("identity.key", given -> {
            byte[] key = Keys.decode(Protocol.text(given, "public_key_b64"));
            if (!Keys.isUsable(key)) {
                throw new P4Exception("bad-key", "This is not a safe key.");
            }
            return Protocol.object().put("peer_id", Keys.peerId(key));
        });
        operations.put("identity.verify", given -> {
            byte[] key = Keys.decode(Protocol.text(given, "public_key_b64"));
            if (!Keys.verify(key, Protocol.bytes(given, "signature_b64"), hex(given, "message_hex"))) {
                throw new P4Exception("bad-signature", "The signature is not that of the key.");
            }
            return Protocol.object();
        });
        operations.put("identity.generate", given -> generate());
        operations.put("identity.sign", given -> Protocol.object().put("signature_b64",
                Identity.fromSeed(seed(given)).sign(hex(given, "message_hex"))));
        operations.put("canonical.parse", given -> Protocol.object().put("canonical",
                utf8(Json.canonical(Json.parseObject(Protocol.bytes(given, "bytes_b64"))))));
        operations.put("envelope.verify", Native::verify);
        operations.put("envelope.seal", Native::seal);
        operations.put("replay.steps", Native::replay);
        operations.put("invite.parse", given -> {
            Invite invite = Invite.parse(Protocol.bytes(given, "bytes_b64"));
            RendezvousAddress place = invite.rendezvous();
            return Protocol.object().put("peer_id", invite.peerId())
                    .put("public_key_b64", Keys.encode(invite.publicKey())).put("transport", place.transport())
                    .put("address", place.host()).put("port", place.port());
        });
        operations.put("invite.write", given -> {
            RendezvousAddress place = new RendezvousAddress(Protocol.text(given, "transport"),
                    Protocol.text(given, "address"), (int) Protocol.number(given, "port"));
            byte[] key = Keys.decode(Protocol.text(given, "public_key_b64"));
            return Protocol.object().put("text", new Invite(key, place).toText());
        });
    }

    private static byte[] seed(JsonNode given) {
        return Keys.decode(Protocol.text(given, "seed_b64"));
    }

    private static byte[] hex(JsonNode given, String name) {
        return HEX.parseHex(Protocol.text(given, name));
    }

    private static String utf8(byte[] text) {
        return new String(text, StandardCharsets.UTF_8);
    }

    private static ObjectNode entry(Identity identity) {
        return Protocol.object().put("public_key_b64", Keys.encode(identity.publicKey()))
                .put("peer_id", identity.peerId());
    }

    private static ObjectNode generate() {
        Identity identity = Identity.generate();
        return entry(identity).put("seed_b64", Keys.encode(identity.seed()));
    }

    private static ObjectNode verify(JsonNode given) throws IOException {
        Envelope envelope = Envelope.parse(Protocol.bytes(given, "line_b64"));
        byte[] key = Keys.decode(Protocol.text(given, "public_key_b64"));
        VerifiedEnvelope verified = envelope.verify(key, Keys.peerId(key), Protocol.text(given, "me"),
                Protocol.number(given, "now_ms"), Protocol.number(given, "max_skew_ms"));
        ObjectNode result = Protocol.object().put("sender", verified.sender())
                .put("timestamp_ms", verified.timestampMs()).put("nonce_hex", HEX.formatHex(verified.nonce()));
        return result.set("payload", Protocol.MAPPER.readTree(Json.canonical(verified.payload())));
    }

    private static ObjectNode seal(JsonNode given) throws IOException {
        Map<String, Object> payload = Json.parseObject(Protocol.MAPPER.writeValueAsBytes(given.get("payload")));
        byte[] line = Envelope.seal(Identity.fromSeed(seed(given)), Protocol.text(given, "recipient"), payload,
                Protocol.number(given, "now_ms"), hex(given, "nonce_hex"));
        return Protocol.object().put("line_b64", Base64.getEncoder().encodeToString(line));
    }

    private static ObjectNode replay(JsonNode given) {
        int capacity = (int) Protocol.number(given, "capacity");
        ReplayWindow window = new ReplayWindow(0, List.of(), capacity);
        for (JsonNode step : given.get("steps")) {
            if (step.has("restart")) {
                window = new ReplayWindow(window.floorMs(), window.entries(), capacity);
            } else if (step.has("prune_now_ms")) {
                window = window.prune(Protocol.number(step, "prune_now_ms"));
            } else {
                window = window.accept(hex(step, "nonce_hex"), Protocol.number(step, "timestamp_ms"));
            }
        }
        return Protocol.object().put("floor_ms", window.floorMs()).put("entries", window.entries().size());
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import p4.client.Chat;
import p4.client.Client;
import p4.client.Contact;
import p4.client.ContactStatus;
import p4.client.DeviceIdentity;
import p4.client.DeviceInvite;
import p4.client.DeviceStatus;
import p4.client.Receipt;
import p4.client.SendOptions;
import p4.client.TokenRecord;
import p4.client.Value;

/** L1: the device, its contacts, and what is sent to them. */
final class Local {
    /** So long requests wait for a daemon that was killed. */
    private static final Duration RESTART = Duration.ofMinutes(1);
    private static final Duration INVITE_LIFETIME = Duration.ofMinutes(10);

    private final Protocol.Handles<Client> clients = new Protocol.Handles<>("client");
    private final Protocol.Handles<Receipt> receipts = new Protocol.Handles<>("receipt");

    Client client(JsonNode given) {
        return clients.get(given);
    }

    Contact contact(JsonNode given) {
        return client(given).contact(Protocol.text(given, "contact"));
    }

    void close() {
        clients.all().forEach(Client::close);
    }

    void into(Map<String, Protocol.Operation> operations) {
        device(operations);
        pairing(operations);
        contacts(operations);
        sending(operations);
    }

    private void device(Map<String, Protocol.Operation> operations) {
        operations.put("connect", given -> {
            clients.put(given, given.has("url")
                    ? Client.connect(Protocol.text(given, "url"), Protocol.text(given, "token"))
                    : Client.connect(Path.of(Protocol.text(given, "state_dir")), RESTART));
            return Protocol.object();
        });
        operations.put("disconnect", given -> {
            clients.take(given).close();
            return Protocol.object();
        });
        operations.put("identity", given -> {
            DeviceIdentity identity = client(given).identity();
            return Protocol.contact(identity.id(), identity.name()).put("public_key", identity.publicKey());
        });
        operations.put("status", given -> {
            DeviceStatus status = client(given).status();
            List<String> names = status.contacts().stream().map(ContactStatus::name).toList();
            return Protocol.object().put("id", status.id()).set("contacts", Protocol.list(names));
        });
        operations.put("services", given -> {
            ArrayNode services = Protocol.MAPPER.createArrayNode();
            client(given).services().forEach(one -> services.addObject().put("service", one.service())
                    .put("serves_calls", one.servesCalls()));
            return Protocol.object().set("services", services);
        });
        operations.put("request", given -> {
            JsonNode body = client(given).request(
                    Protocol.text(given, "method"), Protocol.text(given, "path"), given.get("body"));
            return Protocol.object().set("body", body);
        });
        operations.put("token.new", given -> {
            Duration lifetime = given.get("expires_in_seconds").isNull()
                    ? null : Protocol.seconds(given, "expires_in_seconds");
            TokenRecord made = client(given).newToken(Protocol.text(given, "app"),
                    Protocol.texts(given, "services"), Protocol.texts(given, "contacts"), lifetime);
            return Protocol.object().put("id", made.id()).put("token", made.token());
        });
        operations.put("token.list", given -> Protocol.object().set("ids",
                Protocol.list(client(given).tokens().stream().map(TokenRecord::id).toList())));
        operations.put("token.revoke", given -> {
            client(given).revokeToken(Protocol.text(given, "token_id"));
            return Protocol.object();
        });
    }

    private void pairing(Map<String, Protocol.Operation> operations) {
        operations.put("pairing.create", given -> {
            DeviceInvite invite = client(given).pairing().create("link", INVITE_LIFETIME, Protocol.text(given, "name"));
            client(given).pairing().awaitFindable(invite.id());
            return Protocol.object().put("invite", invite.id()).put("text", invite.text());
        });
        operations.put("pairing.add", given -> {
            ContactStatus added = client(given).pairing().add(Protocol.text(given, "text"),
                    Protocol.text(given, "name"), Protocol.seconds(given, "patience_seconds"));
            return Protocol.object().set("contact", Protocol.contact(added.id(), added.name()));
        });
        operations.put("pairing.wait", given -> Protocol.object().set("contact",
                Protocol.contact(client(given).pairing().await(Protocol.text(given, "invite")))));
        operations.put("pairing.cancel", given -> {
            client(given).pairing().cancel(Protocol.text(given, "invite"));
            return Protocol.object();
        });
    }

    private void contacts(Map<String, Protocol.Operation> operations) {
        operations.put("contact.list", given -> {
            ArrayNode contacts = Protocol.MAPPER.createArrayNode();
            client(given).contacts().forEach(one -> contacts.add(Protocol.contact(one.id(), one.name())));
            return Protocol.object().set("contacts", contacts);
        });
        operations.put("contact.status", given -> {
            ContactStatus status = contact(given).status();
            return Protocol.contact(status.id(), status.name()).put("connected", status.connected())
                    .put("queued_messages", status.queuedMessages());
        });
        operations.put("contact.ping", given ->
                Protocol.object().put("round_trip_seconds", contact(given).ping()));
        operations.put("contact.rename", given ->
                Protocol.object().put("name", contact(given).rename(Protocol.text(given, "name")).name()));
        operations.put("contact.remove", given -> {
            contact(given).remove();
            return Protocol.object();
        });
        operations.put("contact.grant", given -> Protocol.object().set("grants", Protocol.list(
                contact(given).grant(Protocol.texts(given, "services").toArray(String[]::new)))));
        operations.put("contact.revoke", given -> {
            contact(given).revoke(Protocol.text(given, "service"));
            return Protocol.object();
        });
        operations.put("contact.grants", given ->
                Protocol.object().set("grants", Protocol.list(contact(given).grants())));
        operations.put("contact.set_policy", given -> {
            contact(given).setPolicy(Protocol.text(given, "policy"));
            return Protocol.object();
        });
        operations.put("contact.verification", given ->
                Protocol.object().set("words", Protocol.list(contact(given).verification().words())));
        operations.put("contact.call", given -> {
            Value result = contact(given).call(Protocol.text(given, "service"), Protocol.value(given),
                    Protocol.seconds(given, "deadline_seconds"));
            return Protocol.with(Protocol.object(), result);
        });
    }

    private void sending(Map<String, Protocol.Operation> operations) {
        operations.put("message.send", given -> {
            Duration ttl = given.has("ttl_seconds") ? Protocol.seconds(given, "ttl_seconds") : null;
            SendOptions options = new SendOptions(ttl, given.path("latest").asText());
            Receipt receipt = contact(given).send(Protocol.text(given, "service"), Protocol.value(given), options);
            receipts.put(given, receipt);
            return Protocol.object().put("id", receipt.id());
        });
        operations.put("message.send_many", given -> {
            List<Value> values = new ArrayList<>();
            given.get("values").forEach(one -> values.add(Protocol.value(one)));
            List<Receipt> made = contact(given).sendAll(Protocol.text(given, "service"), values);
            return Protocol.object().set("ids", Protocol.list(made.stream().map(Receipt::id).toList()));
        });
        operations.put("receipt.delivered", given -> Protocol.inTime(
                receipts.get(given).awaitDelivered(Protocol.seconds(given, "timeout_seconds"))));
        operations.put("receipt.consumed", given -> Protocol.inTime(
                receipts.get(given).awaitConsumed(Protocol.seconds(given, "timeout_seconds"))));
        operations.put("chat.say", given -> Protocol.object().put("message_id",
                contact(given).chat().say(Protocol.text(given, "text")).messageId()));
        operations.put("chat.history", Local.this::history);
    }

    private ObjectNode history(JsonNode given) {
        Chat chat = contact(given).chat();
        ArrayNode entries = Protocol.MAPPER.createArrayNode();
        chat.page(null, (int) Protocol.number(given, "limit")).forEach(line -> entries.addObject()
                .put("message_id", line.messageId()).put("mine", line.mine()).put("text", line.text()));
        return Protocol.object().set("entries", entries);
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import p4.P4Exception;

/**
 * A contact by its name, id, or a unique beginning of its id. Made by {@link Client#contact}; asks nothing by itself.
 *
 * <p>Every method throws {@link P4Exception} {@code unknown} or {@code ambiguous} if the reference names no contact.
 */
public final class Contact {
    private static final String CHAT = "chat";
    private static final Duration MARGIN = Duration.ofSeconds(30);

    private final Client client;
    private final String reference;
    private final String path;

    Contact(Client client, String reference) {
        this.client = client;
        this.reference = reference;
        this.path = "/v1/contacts/" + Wire.quoted(reference);
    }

    /**
     * How it is now.
     *
     * @return at this moment
     */
    public ContactStatus status() {
        return status(client.request("GET", path, null));
    }

    /**
     * The round trip through the contact's program.
     *
     * @return seconds
     */
    public double ping() {
        return client.request("POST", path + "/ping", null, true, DaemonConnection.ANSWER).path("round_trip").asDouble();
    }

    /**
     * Cuts the link, which comes back by itself.
     *
     * @return false if there was none
     */
    public boolean drop() {
        return client.request("POST", path + "/drop", null).path("dropped").asBoolean();
    }

    /**
     * Calls it something else.
     *
     * @param name the new name
     * @return as it is then
     * @throws P4Exception {@code name-taken}, {@code bad-name}
     */
    public ContactStatus rename(String name) {
        ObjectNode body = Wire.object().put("name", name);
        return status(client.request("PATCH", path, body, true, DaemonConnection.ANSWER));
    }

    /** Forgets it, and what waits for it and from it. */
    public void remove() {
        client.request("DELETE", path, null, false, DaemonConnection.ANSWER);
    }

    /**
     * Chooses which paths to it may be used.
     *
     * @param policy {@code direct}, {@code relay-only} or {@code lan-only}
     */
    public void setPolicy(String policy) {
        client.request("PUT", path + "/policy", Wire.object().put("policy", policy));
    }

    /**
     * Blocks it, or makes it a contact as before.
     *
     * @param blocked which of these
     */
    public void setBlocked(boolean blocked) {
        client.request("PUT", path + "/block", Wire.object().put("blocked", blocked));
    }

    /**
     * The words to compare with the contact's person.
     *
     * @return and whether they were compared
     */
    public Verification verification() {
        return Wire.record(client.request("GET", path + "/verification", null), Verification.class);
    }

    /**
     * Records that the words were compared, or takes it back.
     *
     * @param publicKey for which they were shown
     * @param verified which of these
     * @return as it is then
     * @throws P4Exception {@code changed-key}: it has another one by now
     */
    public Verification verify(String publicKey, boolean verified) {
        ObjectNode body = Wire.object().put("verified", verified).put("public_key", publicKey);
        return Wire.record(client.request("PUT", path + "/verification", body), Verification.class);
    }

    /**
     * The services of this device that it may use.
     *
     * @return their names; each covers all below it, {@code *} all
     */
    public List<String> grants() {
        return grants(client.request("GET", path + "/grants", null));
    }

    /**
     * Lets it use these, too.
     *
     * @param services their names
     * @return all that it may use then; on disk
     */
    public List<String> grant(String... services) {
        ObjectNode body = Wire.object();
        ArrayNode names = body.putArray("services");
        List.of(services).forEach(names::add);
        return grants(client.request("POST", path + "/grants", body, true, DaemonConnection.ANSWER));
    }

    /**
     * Lets it use these no more.
     *
     * @param services their names
     * @return what is left
     * @throws P4Exception {@code unknown}: it did not have one of them
     */
    public List<String> revoke(String... services) {
        for (String service : services) {
            String grant = path + "/grants/" + Wire.quoted(service);
            client.request("DELETE", grant, null, false, DaemonConnection.ANSWER);
        }
        return grants();
    }

    /**
     * Says something to its person: stands in the history that {@code p4 chat} and the web page show.
     *
     * @param text what
     * @return on disk; arrives once, in order
     */
    public Receipt send(String text) {
        return new ChatReceipt(client, reference, chat().say(text));
    }

    /**
     * Hands over a message. It is on disk when this returns, and arrives once, in order. What several threads hand
     * over at a time goes to the daemon together, which is many times as fast; each has its own receipt, or error.
     *
     * @param service of the contact
     * @param value see {@link Value#of}; up to 1 MiB
     * @return its receipt
     * @throws P4Exception nothing was accepted, except {@code connection-lost}: the daemon ended in this moment, and it
     *     may have been
     */
    public Receipt send(String service, Object value) {
        return send(service, value, SendOptions.NONE);
    }

    /**
     * As {@link #send(String, Object)}, with options.
     *
     * @param service of the contact
     * @param value see {@link Value#of}; up to 1 MiB
     * @param options whether it expires, or replaces others
     * @return its receipt
     */
    public Receipt send(String service, Object value, SendOptions options) {
        return Receipt.read(client, reference, client.outbox().send(path + "/messages", service, value, options));
    }

    /**
     * Hands over several messages, all or none, with one write to disk.
     *
     * @param service of the contact
     * @param values at most 1000; see {@link Value#of}
     * @return their receipts, in the same order
     */
    public List<Receipt> sendAll(String service, List<?> values) {
        ObjectNode body = Wire.object().put("service", service);
        ArrayNode list = body.putArray("values");
        values.forEach(value -> Value.of(value).into(list.addObject()));
        List<Receipt> receipts = new ArrayList<>();
        for (JsonNode entry : client.request("POST", path + "/messages/batch", body).path("receipts")) {
            receipts.add(Receipt.read(client, reference, entry));
        }
        return receipts;
    }

    /**
     * For many messages of one thread: does not wait for each.
     *
     * @param service of the contact
     * @return close it when the last was handed over
     */
    public MessagePipeline pipeline(String service) {
        return new MessagePipeline(client, reference, service);
    }

    /**
     * Its messages for a service of this device; see {@link Client#messages(String)}.
     *
     * @param service of this device
     * @return close it to read no more
     */
    public MessageSubscription messages(String service) {
        return new MessageSubscription(client.connection(), service, reference, Client.WINDOW);
    }

    /**
     * Asks a service of the contact and waits for its reply, at most 30 seconds. It is executed at most once.
     *
     * @param service of the contact
     * @param argument see {@link Value#of}
     * @return the result
     * @throws P4Exception no result; {@link P4Exception#mayHaveRun} says whether it may have been executed
     */
    public Value call(String service, Object argument) {
        return call(service, argument, Duration.ofSeconds(30));
    }

    /**
     * As {@link #call(String, Object)}, with a deadline.
     *
     * @param service of the contact
     * @param argument see {@link Value#of}
     * @param deadline when the call is given up, here and there
     * @return the result
     */
    public Value call(String service, Object argument, Duration deadline) {
        ObjectNode body = Wire.object().put("deadline", deadline.toMillis() / 1e3);
        Value.of(argument).into(body);
        String called = path + "/calls/" + Wire.quoted(service);
        return Value.from(client.request("POST", called, body, false, deadline.plus(MARGIN)));
    }

    /**
     * Opens a byte stream to a service, or the one of this name that was opened before.
     *
     * @param service of the contact
     * @param name of the stream; may be empty
     * @return go on at {@link Stream#written} and {@link Stream#position}
     * @throws P4Exception {@code not-granted}, {@code too-many}
     */
    public Stream stream(String service, String name) {
        return new Stream(new StreamLink(
                client.connection(), path + "/streams/" + Wire.quoted(service), Map.of("name", name)));
    }

    /**
     * Waits for the next stream that it opens to a service of this device; see {@link Client#nextStream(String)}.
     *
     * @param service of this device
     * @return the stream
     */
    public Stream nextStream(String service) {
        return client.nextStream(service, reference);
    }

    /**
     * What is said with it.
     *
     * @return its history
     */
    public Chat chat() {
        return new Chat(client, reference);
    }

    private static ContactStatus status(JsonNode answer) {
        return Wire.record(answer, ContactStatus.class);
    }

    private static List<String> grants(JsonNode answer) {
        List<String> grants = new ArrayList<>();
        answer.path("grants").forEach(grant -> grants.add(grant.asText()));
        return List.copyOf(grants);
    }

    @Override
    public String toString() {
        return "Contact " + reference;
    }
}

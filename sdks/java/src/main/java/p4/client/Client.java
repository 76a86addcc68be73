package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import p4.P4Exception;

/**
 * A connection to the daemon of this machine, {@code p4 up}. Safe for use by several threads.
 *
 * <pre>{@code
 * try (Client me = Client.connect()) {
 *     me.contact("phone").send("hello").awaitDelivered(Duration.ofMinutes(1));
 * }
 * }</pre>
 *
 * <p>It goes on by itself when the daemon restarts. Whatever is asked while the daemon is away waits for it, 20 s
 * unless chosen otherwise, and then throws {@code no-daemon}. It uses the daemon's TCP port on 127.0.0.1: Java's HTTP
 * client reaches no unix sockets.
 */
public final class Client implements AutoCloseable {
    static final int WINDOW = 64;
    private static final Duration RESTART = Duration.ofSeconds(20);

    private final DaemonConnection connection;
    private final Outbox outbox;

    private Client(Supplier<Endpoint> find, Duration restart) {
        connection = new DaemonConnection(find, restart);
        outbox = new Outbox((path, body) -> request("POST", path, body), connection.threads());
        try {
            identity(); // tells at once if there is none
        } catch (P4Exception error) {
            connection.close();
            throw error;
        }
    }

    /**
     * A client of the daemon of {@code ~/.p4}.
     *
     * @return close it in the end; the daemon goes on
     * @throws P4Exception {@code no-daemon}: none runs; {@code p4 up} starts one
     */
    public static Client connect() {
        return connect(Path.of(System.getProperty("user.home"), ".p4"));
    }

    /**
     * A client of the daemon of a state directory, which its user may read.
     *
     * @param stateDirectory of the device
     * @return close it in the end; the daemon goes on
     * @throws P4Exception {@code no-daemon}: none runs
     */
    public static Client connect(Path stateDirectory) {
        return connect(stateDirectory, RESTART);
    }

    /**
     * A client that waits as long as its program wants to for a daemon that restarts.
     *
     * @param stateDirectory of the device
     * @param restart how long a request waits for a daemon that has gone; otherwise 20 s
     * @return close it in the end; the daemon goes on
     * @throws P4Exception {@code no-daemon}: none runs
     */
    public static Client connect(Path stateDirectory, Duration restart) {
        return new Client(() -> Endpoint.find(stateDirectory), restart);
    }

    /**
     * A client with the token of an app, as {@code p4 token new} gave it.
     *
     * @param url address of the daemon, {@code http://127.0.0.1:PORT}
     * @param token of the app
     * @return close it in the end; the daemon goes on
     * @throws P4Exception {@code no-daemon}, {@code bad-token}
     */
    public static Client connect(String url, String token) {
        Endpoint fixed = new Endpoint(url.replaceFirst("/+$", ""), token);
        return new Client(() -> fixed, RESTART);
    }

    /** Closes every connection. What is under way ends with an error; the daemon goes on. */
    @Override
    public void close() {
        connection.close();
    }

    /**
     * Who this device is.
     *
     * @return its identity
     */
    public DeviceIdentity identity() {
        return Wire.record(request("GET", "/v1/identity", null), DeviceIdentity.class);
    }

    /**
     * Calls this device otherwise towards those it pairs with from now on.
     *
     * @param name empty for the machine's name
     * @return as it is then
     */
    public DeviceIdentity renameDevice(String name) {
        ObjectNode body = Wire.object().put("name", name);
        return Wire.record(
                request("PATCH", "/v1/identity", body, true, DaemonConnection.ANSWER), DeviceIdentity.class);
    }

    /**
     * How the node and all its contacts are.
     *
     * @return at this moment
     */
    public DeviceStatus status() {
        return Wire.record(request("GET", "/v1/status", null), DeviceStatus.class);
    }

    /**
     * Figures of the daemon.
     *
     * @return in Prometheus' text format
     */
    public String metrics() {
        byte[] text = connection.request("GET", "/v1/metrics", null, null, DaemonConnection.ANSWER);
        return new String(text, StandardCharsets.UTF_8);
    }

    /**
     * Who serves and reads what in this daemon.
     *
     * @return by service
     */
    public List<ServiceUse> services() {
        return list("/v1/services", "services", ServiceUse.class);
    }

    /** Asks the daemon to end. What was accepted is on disk. */
    public void shutdown() {
        request("POST", "/v1/shutdown", null);
    }

    /**
     * A contact; it is looked up when it is used.
     *
     * @param reference its name, id, or the beginning of its id
     * @return the contact
     * @throws P4Exception {@code bad-name}: it cannot name anything
     */
    public Contact contact(String reference) {
        return new Contact(this, reference);
    }

    /**
     * All contacts, and how each is.
     *
     * @return those that the token may see
     */
    public List<ContactStatus> contacts() {
        return list("/v1/contacts", "contacts", ContactStatus.class);
    }

    /**
     * Invites of this device, and taking those of others.
     *
     * @return asks nothing by itself
     */
    public Pairing pairing() {
        return new Pairing(this);
    }

    /**
     * The messages of contacts for a service, each once.
     *
     * @param service of this device
     * @return close it to read no more
     */
    public MessageSubscription messages(String service) {
        return messages(service, WINDOW);
    }

    /**
     * As {@link #messages(String)}, with a window.
     *
     * @param service of this device
     * @param window how many come before one must be done, 1 to 256
     * @return close it to read no more
     */
    public MessageSubscription messages(String service, int window) {
        return new MessageSubscription(connection, service, null, window);
    }

    /**
     * Waits for the next byte stream that a contact opens to a service. One that was not finished comes again, also
     * after restarts: go on at its {@link Stream#position}.
     *
     * @param service of this device
     * @return the stream
     */
    public Stream nextStream(String service) {
        return nextStream(service, "");
    }

    Stream nextStream(String service, String contact) {
        return new Stream(new StreamLink(
                connection, "/v1/streams/" + Wire.quoted(service), Map.of("contact", contact)));
    }

    /**
     * Datagrams of a service, from and to all contacts.
     *
     * @param service on both sides
     * @return close them to hear no more
     */
    public Datagrams datagrams(String service) {
        return new Datagrams(connection, service);
    }

    /**
     * Answers the calls for a service, also after restarts of the daemon. When this returns, calls are taken.
     *
     * @param service and those below it that nobody else serves
     * @param handler gives the results
     * @return close it to answer no more
     * @throws P4Exception {@code already-served}, {@code not-granted}
     */
    public Serving serve(String service, CallHandler handler) {
        return new Serving(connection, service, handler);
    }

    /**
     * What happens in the daemon from now on.
     *
     * @param kinds only these, such as {@code link.up}; none for all
     * @return close it to hear no more
     */
    public Events events(String... kinds) {
        return new Events(connection, kinds);
    }

    /**
     * The tokens of apps, without their secrets.
     *
     * @return all of them
     */
    public List<TokenRecord> tokens() {
        return list("/v1/tokens", "tokens", TokenRecord.class);
    }

    /**
     * Makes a token for an app.
     *
     * @param app its name
     * @param services that it may use, each with all below it; null for all
     * @param contacts whom it may reach, by name or id; null for all
     * @param lifetime null for ever
     * @return its secret is told this once
     */
    public TokenRecord newToken(String app, List<String> services, List<String> contacts, Duration lifetime) {
        ObjectNode body = Wire.object().put("app", app);
        body.set("services", Wire.MAPPER.valueToTree(services));
        body.set("contacts", Wire.MAPPER.valueToTree(contacts));
        if (lifetime != null) {
            body.put("expires_in", lifetime.toMillis() / 1e3);
        }
        return Wire.record(request("POST", "/v1/tokens", body), TokenRecord.class);
    }

    /**
     * Ends a token, and what is under way with it.
     *
     * @param id of the token
     * @throws P4Exception {@code unknown}
     */
    public void revokeToken(String id) {
        request("DELETE", "/v1/tokens/" + Wire.quoted(id), null, false, DaemonConnection.ANSWER);
    }

    /**
     * Asks the daemon for what this library has no method for (spec/daemon-api).
     *
     * @param method of HTTP
     * @param path with {@code /v1}; names in it percent-encoded
     * @param body a JSON value, or null
     * @return the JSON of the answer; missing for an empty one
     * @throws P4Exception what the daemon says, {@code no-daemon}, {@code no-answer}, {@code connection-lost}
     */
    public JsonNode request(String method, String path, JsonNode body) {
        return Wire.parse(connection.request(method, path, body, null, DaemonConnection.ANSWER));
    }

    JsonNode request(String method, String path, JsonNode body, boolean repeatable, Duration timeout) {
        return Wire.parse(connection.request(method, path, body, repeatable, timeout));
    }

    DaemonConnection connection() {
        return connection;
    }

    Outbox outbox() {
        return outbox;
    }

    private <T> List<T> list(String path, String member, Class<T> type) {
        List<T> records = new ArrayList<>();
        for (JsonNode entry : request("GET", path, null).path(member)) {
            records.add(Wire.record(entry, type));
        }
        return List.copyOf(records);
    }
}

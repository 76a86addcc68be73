package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import p4.P4Exception;

/** Pairing of this device: its invites, and taking those of others. */
public final class Pairing {
    private static final String INVITES = "/v1/invites";
    private static final Duration MARGIN = Duration.ofSeconds(30);
    private static final double WAIT_SECONDS = 25;

    private final Client client;

    Pairing(Client client) {
        this.client = client;
    }

    /**
     * Makes an invite: a link that is valid for ten minutes.
     *
     * @return on the daemon's disk; give its {@link DeviceInvite#text} to the other person
     */
    public DeviceInvite create() {
        return create("link", Duration.ofMinutes(10), "");
    }

    /**
     * Makes an invite.
     *
     * @param kind {@code link}, {@code words} or {@code local-words}
     * @param lifetime how long it is valid
     * @param name what the guest shall be called; empty for what it calls itself
     * @return on the daemon's disk
     */
    public DeviceInvite create(String kind, Duration lifetime, String name) {
        ObjectNode wanted = Wire.object().put("kind", kind).put("lifetime", lifetime.toMillis() / 1e3);
        return read(client.request("POST", INVITES, wanted.put("name", name)));
    }

    /**
     * The open invites.
     *
     * @return the oldest first
     */
    public List<DeviceInvite> list() {
        List<DeviceInvite> invites = new ArrayList<>();
        client.request("GET", INVITES, null).path("invites").forEach(entry -> invites.add(read(entry)));
        return invites;
    }

    /**
     * Waits until a guest would find the device by an invite, or the invite has ended.
     *
     * @param id of the invite
     * @return as it is then
     */
    public DeviceInvite awaitFindable(String id) {
        while (true) {
            DeviceInvite invite = look(id, "findable", WAIT_SECONDS);
            if (invite.findable() || !invite.isOpen()) {
                return invite;
            }
        }
    }

    /**
     * Waits until both sides are paired; goes on over restarts of the daemon.
     *
     * @param id of the invite
     * @return the guest
     * @throws P4Exception it ended otherwise, with the reason as its code
     */
    public ContactName await(String id) {
        while (true) {
            DeviceInvite invite = look(id, "ended", WAIT_SECONDS);
            if (invite.contact() != null) {
                return invite.contact();
            }
            if (invite.state().equals("closed")) { // the daemon ends; its next run has the invite
                DaemonConnection.sleep(1000);
            } else if (!invite.isOpen()) {
                throw new P4Exception(invite.state(), invite.message());
            }
        }
    }

    /**
     * Takes an invite back; one that has ended stays as it is.
     *
     * @param id of the invite
     */
    public void cancel(String id) {
        client.request("DELETE", INVITES + "/" + Wire.quoted(id), null);
    }

    /**
     * Takes the invite of another device.
     *
     * @param invite a link, words, or the JSON of version 1
     * @param name what the device shall be called here; empty for what it calls itself
     * @param patience how long it is looked for
     * @return the contact; both sides have each other on disk
     * @throws P4Exception of pairing, with the reason as its code
     */
    public ContactStatus add(String invite, String name, Duration patience) {
        ObjectNode wanted = Wire.object().put("invite", invite).put("name", name);
        wanted.put("patience", patience.toMillis() / 1e3);
        // To be paired twice by the same link is to be paired.
        JsonNode answer = client.request("POST", "/v1/pairings", wanted, true, patience.plus(MARGIN));
        return Wire.record(answer, ContactStatus.class);
    }

    private DeviceInvite look(String id, String wait, double seconds) {
        String query = Wire.query(Map.of("wait", wait, "timeout", seconds));
        return read(client.request("GET", INVITES + "/" + Wire.quoted(id) + query, null));
    }

    private static DeviceInvite read(JsonNode entry) {
        return Wire.record(entry, DeviceInvite.class);
    }
}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import p4.P4Exception;

/** A message of a contact, which is on the daemon's disk until {@link #done}. */
public final class Message {
    private final MessageSubscription subscription;
    private final JsonNode entry;
    private final ContactName contact;

    Message(MessageSubscription subscription, JsonNode entry) {
        this.subscription = subscription;
        this.entry = entry;
        this.contact = Wire.record(entry.path("contact"), ContactName.class);
    }

    /**
     * Who sent it.
     *
     * @return the contact
     */
    public ContactName contact() {
        return contact;
    }

    /**
     * Its id.
     *
     * @return names it for ever among the messages of this contact
     */
    public String id() {
        return entry.path("id").asText();
    }

    /**
     * For which service it is.
     *
     * @return its name
     */
    public String service() {
        return entry.path("service").asText();
    }

    /**
     * The key of a latest-value message.
     *
     * @return empty for others
     */
    public String key() {
        return entry.path("key").asText();
    }

    /**
     * When it was sent, by its sender's clock.
     *
     * @return Unix milliseconds
     */
    public long sentMs() {
        return entry.path("sent_ms").asLong();
    }

    /**
     * When it arrived, by the daemon's clock.
     *
     * @return Unix milliseconds
     */
    public long receivedMs() {
        return entry.path("received_ms").asLong();
    }

    /**
     * What was sent.
     *
     * @return JSON or bytes
     * @throws P4Exception {@code bad-body}: the contact's program said JSON and sent none
     */
    public Value value() {
        return Value.from(entry);
    }

    /**
     * The application has dealt with it. Returns at once; many are told to the daemon together.
     *
     * @return completes when the daemon has noted it: it will not come again
     */
    public CompletableFuture<Void> done() {
        return subscription.done(contact.id(), id());
    }

    @Override
    public String toString() {
        return "Message " + id() + " from " + contact.label();
    }
}

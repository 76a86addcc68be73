package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/**
 * A contact and how it is at the moment. Members that a token may not see are null or empty.
 *
 * @param id names it for ever
 * @param name as the user calls it; may be empty
 * @param connected whether there is a link
 * @param state of the link, in a word
 * @param protocol version that both speak, 0 if that is not known
 * @param policy {@code direct}, {@code relay-only} or {@code lan-only}
 * @param grants services of this device that it may use
 * @param path which way the link goes, or null
 * @param roundTrip seconds, or null
 * @param sending bytes a second, or null
 * @param receiving bytes a second, or null
 * @param queuedMessages how many wait for it
 * @param queuedBytes how long they are together, or null
 * @param openStreams how many there are
 * @param lastSeenMs Unix milliseconds; 0 for never
 * @param whyNot why there is no link, in a sentence
 * @param nextAttemptMs Unix milliseconds, or null
 * @param lanes how the lanes of the link are, in a word
 * @param verification {@code no}, {@code verified} or {@code verified-before-rotation}
 * @param blocked whether it is answered as strangers are
 */
public record ContactStatus(
        String id,
        String name,
        boolean connected,
        String state,
        int protocol,
        String policy,
        List<String> grants,
        JsonNode path,
        Double roundTrip,
        Double sending,
        Double receiving,
        int queuedMessages,
        Long queuedBytes,
        int openStreams,
        long lastSeenMs,
        String whyNot,
        Long nextAttemptMs,
        String lanes,
        String verification,
        boolean blocked) {

    /**
     * Who it is.
     *
     * @return id and name
     */
    public ContactName contact() {
        return new ContactName(id, name);
    }
}

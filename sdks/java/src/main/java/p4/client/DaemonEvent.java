package p4.client;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * Something that happened in the daemon (spec/daemon-api, "Events").
 *
 * @param kind such as {@code link.up}; {@link Events#OPENED} when events may have been missed
 * @param data what it is about; its parts depend on the kind
 */
public record DaemonEvent(String kind, JsonNode data) {}

package p4.client;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * One message of a history (spec/daemon-api, "Chat"). Its text is a stranger's.
 *
 * @param id its place in this history, rising
 * @param messageId the same on both devices
 * @param mine whether this device sent it
 * @param kind {@code text}, {@code file}, {@code data} or {@code unreadable}
 * @param text what was said
 * @param file {@code name}, {@code size} and {@code transfer}, if it speaks of a file, or null
 * @param sentMs Unix milliseconds, by its sender's clock
 * @param keptMs Unix milliseconds, when it came into this history
 * @param state {@code sending}, {@code queued}, {@code delivered}, {@code consumed}, {@code seen} or {@code failed};
 *     for theirs {@code received}
 * @param reason why it failed
 */
public record ChatLine(
        String id, String messageId, boolean mine, String kind, String text, JsonNode file, long sentMs, long keptMs,
        String state, String reason) {}

package p4.client;

import java.util.List;
import java.util.Map;

/**
 * The whole node at one moment.
 *
 * @param id its peer id
 * @param momentMs Unix milliseconds, as all members of this ending
 * @param startedMs when the daemon started
 * @param pid of the daemon
 * @param stateDirectory where the device's state is
 * @param reachable whether others can find it
 * @param reachability that in a sentence
 * @param checkedMs when it was looked at, or null
 * @param addresses where others find it
 * @param localAddresses of this machine
 * @param versions of its parts
 * @param contacts all of them
 */
public record DeviceStatus(
        String id,
        long momentMs,
        long startedMs,
        long pid,
        String stateDirectory,
        boolean reachable,
        String reachability,
        Long checkedMs,
        List<String> addresses,
        List<String> localAddresses,
        Map<String, String> versions,
        List<ContactStatus> contacts) {}

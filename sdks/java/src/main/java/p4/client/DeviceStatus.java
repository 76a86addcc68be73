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
 * @param port TCP port where contacts call in direct mode; 0 for none
 * @param mappings ports that a router gave
 * @param lan whether contacts are looked for on the local network
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
        int port,
        List<String> localAddresses,
        List<String> mappings,
        boolean lan,
        Map<String, String> versions,
        List<ContactStatus> contacts) {}

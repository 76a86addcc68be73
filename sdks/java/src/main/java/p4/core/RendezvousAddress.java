package p4.core;

import java.util.Arrays;
import java.util.regex.Pattern;
import p4.P4Exception;

/**
 * Where a peer's signaling can be reached (spec/invite.md).
 *
 * @param transport {@code onion} or {@code direct}
 * @param host an onion address of version 3 in lower case, or a host name or IP address
 * @param port TCP port, 1 to 65535
 */
public record RendezvousAddress(String transport, String host, int port) {
    private static final Pattern ONION = Pattern.compile("[a-z2-7]{56}\\.onion");
    private static final Pattern LABEL = Pattern.compile("(?!-)[A-Za-z0-9_-]{1,63}(?<!-)");
    private static final Pattern DIGITS = Pattern.compile("[0-9]+");
    private static final Pattern BYTE = Pattern.compile("0|[1-9][0-9]{0,2}");
    private static final Pattern GROUP = Pattern.compile("[0-9A-Fa-f]{1,4}");

    /**
     * Checks the address.
     *
     * @throws P4Exception {@code bad-transport}, {@code bad-port} or {@code bad-address}
     */
    public RendezvousAddress {
        if (!transport.equals("onion") && !transport.equals("direct")) {
            throw new P4Exception("bad-transport",
                    "The invite names a transport that this program does not know. Update it, then try again.");
        }
        if (port < 1 || port > 65535) {
            throw new P4Exception("bad-port", "The port " + port + " is not between 1 and 65535.");
        }
        if (!(transport.equals("onion") ? isOnion(host) : isHost(host))) {
            throw new P4Exception("bad-address", "The address of the invite is not a valid " + transport + " address.");
        }
    }

    /** Key, checksum and version in base32 (Tor rend-spec-v3, ENCODING-ONION-ADDRESS). */
    private static boolean isOnion(String host) {
        if (!ONION.matcher(host).matches()) {
            return false;
        }
        byte[] raw = new byte[35];
        int bits = 0;
        int count = 0;
        int at = 0;
        for (char letter : host.substring(0, 56).toCharArray()) {
            bits = bits << 5 | (letter >= 'a' ? letter - 'a' : letter - '2' + 26);
            count += 5;
            if (count >= 8) {
                count -= 8;
                raw[at++] = (byte) (bits >> count);
            }
        }
        byte[] expected =
                Keys.digest("SHA3-256", Keys.ascii(".onion checksum"), Arrays.copyOf(raw, 32), new byte[] {3});
        return raw[34] == 3 && raw[32] == expected[0] && raw[33] == expected[1];
    }

    private static boolean isHost(String host) {
        if (isIpv4(host) || isIpv6(host)) {
            return true;
        }
        String name = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
        String[] labels = name.split("\\.", -1);
        // All-digit labels would be a mistyped IPv4 address, never a usable name.
        return host.length() <= 253 && Arrays.stream(labels).allMatch(label -> LABEL.matcher(label).matches())
                && !DIGITS.matcher(labels[labels.length - 1]).matches();
    }

    private static boolean isIpv4(String host) {
        String[] parts = host.split("\\.", -1);
        return parts.length == 4 && Arrays.stream(parts)
                .allMatch(part -> BYTE.matcher(part).matches() && Integer.parseInt(part) <= 255);
    }

    /** RFC 4291, section 2.2, with a zone (RFC 4007). */
    private static boolean isIpv6(String host) {
        int percent = host.indexOf('%');
        if (percent >= 0 && (percent == host.length() - 1 || host.indexOf('%', percent + 1) >= 0)) {
            return false;
        }
        String address = percent < 0 ? host : host.substring(0, percent);
        int gap = address.indexOf("::");
        if (gap < 0) {
            return groups(address, true) == 8;
        }
        if (address.indexOf("::", gap + 1) >= 0) {
            return false;
        }
        int before = gap == 0 ? 0 : groups(address.substring(0, gap), false);
        String tail = address.substring(gap + 2);
        int after = tail.isEmpty() ? 0 : groups(tail, true);
        return before >= 0 && after >= 0 && before + after <= 7;
    }

    /** How many groups of 16 bits a part has; -1 if it has anything else. The last may be an IPv4 address. */
    private static int groups(String part, boolean last) {
        String[] groups = part.split(":", -1);
        int count = 0;
        for (int i = 0; i < groups.length; i++) {
            if (last && i == groups.length - 1 && isIpv4(groups[i])) {
                count += 2;
            } else if (GROUP.matcher(groups[i]).matches()) {
                count++;
            } else {
                return -1;
            }
        }
        return count;
    }
}

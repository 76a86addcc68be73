package p4.client;

/**
 * An invite of this device at one moment (spec/daemon-api, "Pairing").
 *
 * @param id names it in this daemon
 * @param kind {@code link}, {@code words} or {@code local-words}
 * @param text the link or the words, secret; empty once it has ended
 * @param name what the guest shall be called; empty for what it calls itself
 * @param createdMs Unix milliseconds
 * @param expiresAtMs Unix milliseconds
 * @param state {@code open}, {@code claimed}, {@code paired}, or the code of why it ended
 * @param findable whether a guest would find the device now
 * @param message why it ended, in sentences
 * @param contact who is paired by it, or null
 */
public record DeviceInvite(
        String id, String kind, String text, String name, long createdMs, long expiresAtMs, String state,
        boolean findable, String message, ContactName contact) {
    /**
     * Whether a guest can still come.
     *
     * @return false once it has ended
     */
    public boolean isOpen() {
        return state.equals("open") || state.equals("claimed");
    }

    @Override
    public String toString() {
        return "DeviceInvite " + id + " " + state; // never its secret
    }
}

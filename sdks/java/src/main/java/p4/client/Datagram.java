package p4.client;

/**
 * A datagram of a contact.
 *
 * @param contact who sent it
 * @param data at most 1100 bytes
 */
public record Datagram(ContactName contact, byte[] data) {}

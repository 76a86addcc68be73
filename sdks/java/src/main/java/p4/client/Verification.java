package p4.client;

import java.util.List;

/**
 * What two people compare.
 *
 * @param contact whose words these are
 * @param words six; the contact's device shows the same for this device
 * @param publicKey for which they are, base64
 * @param verification {@code no}, {@code verified} or {@code verified-before-rotation}
 * @param blocked whether it is answered as strangers are
 */
public record Verification(
        ContactName contact, List<String> words, String publicKey, String verification, boolean blocked) {}

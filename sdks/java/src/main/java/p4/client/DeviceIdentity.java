package p4.client;

/**
 * Who this device is.
 *
 * @param id its peer id
 * @param publicKey raw Ed25519 key in base64
 * @param name as the device calls itself towards those whom it meets
 * @param protocolVersion that it speaks
 */
public record DeviceIdentity(String id, String publicKey, String name, int protocolVersion) {}

package p4.core;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import p4.P4Exception;

/** Public keys, peer ids and signatures (spec/identity.md, RFC 8032). */
public final class Keys {
    /** Length of a public key and of a seed. */
    public static final int KEY_BYTES = 32;

    static final Signatures SIGNATURES = Signatures.best();

    private static final int SIGNATURE_BYTES = 64;
    private static final Pattern PEER_ID = Pattern.compile("[0-9a-f]{24}");
    private static final BigInteger FIELD = BigInteger.ONE.shiftLeft(255).subtract(BigInteger.valueOf(19));
    private static final BigInteger CURVE_D =
            BigInteger.valueOf(-121665).multiply(BigInteger.valueOf(121666).modInverse(FIELD)).mod(FIELD);

    /** y of the eight points whose order divides 8, up to sign: order 4, orders 1 and 2, order 8. */
    private static final Set<BigInteger> SMALL_ORDER_Y = Set.of(BigInteger.ZERO, BigInteger.ONE,
            new BigInteger("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16));

    private Keys() {}

    /**
     * The id that belongs to a public key: the first 24 hex digits of its SHA-256.
     *
     * @param publicKey raw, 32 bytes
     * @return 24 hex digits in lower case
     */
    public static String peerId(byte[] publicKey) {
        return HexFormat.of().formatHex(digest("SHA-256", publicKey)).substring(0, 24);
    }

    /**
     * Whether a text has the form of a peer id.
     *
     * @param text anything
     * @return true for 24 hex digits in lower case
     */
    public static boolean isPeerId(String text) {
        return PEER_ID.matcher(text).matches();
    }

    /**
     * A key as text: standard base64 with padding.
     *
     * @param key raw bytes
     * @return 44 characters for a key
     */
    public static String encode(byte[] key) {
        return Base64.getEncoder().encodeToString(key);
    }

    /**
     * The raw key of a text, which must be its only spelling.
     *
     * @param text standard base64 with padding
     * @return 32 bytes
     * @throws P4Exception {@code bad-key}
     */
    public static byte[] decode(String text) {
        return decode(text, KEY_BYTES, "bad-key", "The key is not 32 bytes in canonical base64.");
    }

    static byte[] decodeSignature(String text) {
        return decode(text, SIGNATURE_BYTES, "bad-field", "The signature_b64 of the envelope has the wrong form.");
    }

    private static byte[] decode(String text, int length, String code, String message) {
        try {
            byte[] key = Base64.getDecoder().decode(text);
            // The decoder takes missing padding and set bits at the end; two spellings of one key would be two.
            if (key.length == length && encode(key).equals(text)) {
                return key;
            }
        } catch (IllegalArgumentException error) {
            throw new P4Exception(code, message, Map.of(), error);
        }
        throw new P4Exception(code, message);
    }

    /**
     * Whether bytes are an Ed25519 public key that can prove something.
     *
     * <p>Not usable are a coding that is not canonical, a number that is not on the curve, and the points of small
     * order, for which anybody can sign (RFC 8032, section 5.1.3).
     *
     * @param publicKey raw
     * @return false for a key that must be refused
     */
    public static boolean isUsable(byte[] publicKey) {
        if (publicKey.length != KEY_BYTES) {
            return false;
        }
        BigInteger y = ordinate(publicKey);
        if (y.compareTo(FIELD) >= 0 || SMALL_ORDER_Y.contains(y.min(FIELD.subtract(y)))) {
            return false;
        }
        // The curve is -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u/v; u/v is a square exactly if u*v is.
        BigInteger square = y.multiply(y).mod(FIELD);
        BigInteger u = square.subtract(BigInteger.ONE);
        BigInteger v = CURVE_D.multiply(square).add(BigInteger.ONE);
        BigInteger half = FIELD.subtract(BigInteger.ONE).shiftRight(1);
        return u.multiply(v).mod(FIELD).modPow(half, FIELD).equals(BigInteger.ONE);
    }

    /**
     * Whether an Ed25519 signature over a message is the key's.
     *
     * @param publicKey raw, 32 bytes
     * @param signature 64 bytes
     * @param message what was signed
     * @return false for any other signature, for bytes that are no key, and for keys that are not {@link #isUsable}
     */
    public static boolean verify(byte[] publicKey, byte[] signature, byte[] message) {
        return SIGNATURES.verify(publicKey, signature, message);
    }

    /** Little-endian, without the top bit, which is the sign of x. */
    static BigInteger ordinate(byte[] raw) {
        byte[] turned = Arrays.copyOf(raw, raw.length);
        for (int i = 0; i < raw.length; i++) {
            turned[i] = raw[raw.length - 1 - i];
        }
        turned[0] &= 0x7f;
        return new BigInteger(1, turned);
    }

    static byte[] digest(String algorithm, byte[]... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            for (byte[] part : parts) {
                digest.update(part);
            }
            return digest.digest();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("This Java has no " + algorithm, error);
        }
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}

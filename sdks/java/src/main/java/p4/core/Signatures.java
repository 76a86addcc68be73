package p4.core;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.NamedParameterSpec;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.bouncycastle.math.ec.rfc8032.Ed25519;

/** Ed25519 (RFC 8032): that of Bouncy Castle where the program has it, which is many times as fast as the JDK's. */
abstract class Signatures {
    private static final int SIGNATURE_BYTES = 64;
    /** Keys that are kept as the arithmetic wants them; each contact has one. */
    private static final int MOST_KEYS = 1024;

    /** By raw key; empty for one that can prove nothing. */
    private final Map<String, Optional<Object>> keys = new ConcurrentHashMap<>();

    /** The fastest that there is. */
    static Signatures best() {
        try {
            Class.forName("org.bouncycastle.math.ec.rfc8032.Ed25519$PublicPoint"); // older ones have no such class
            return new BouncyCastle();
        } catch (ClassNotFoundException | LinkageError error) {
            return new Jdk();
        }
    }

    /** A signature over a message; the keys belong together. */
    abstract byte[] sign(EdECPrivateKey key, byte[] publicKey, byte[] message);

    /** Whether a signature over a message is the key's; false for bytes that are no key. */
    final boolean verify(byte[] publicKey, byte[] signature, byte[] message) {
        if (publicKey.length != Keys.KEY_BYTES || signature.length != SIGNATURE_BYTES) {
            return false;
        }
        Optional<Object> key = keys.computeIfAbsent(new String(publicKey, StandardCharsets.ISO_8859_1),
                name -> Keys.isUsable(publicKey) ? Optional.ofNullable(prepared(publicKey)) : Optional.empty());
        if (keys.size() > MOST_KEYS) {
            keys.clear();
        }
        return key.isPresent() && verify(key.get(), signature, message);
    }

    /** A usable key as the arithmetic wants it; null if it does not take it. */
    abstract Object prepared(byte[] publicKey);

    abstract boolean verify(Object key, byte[] signature, byte[] message);

    /** The JDK's, in Java and with a constant running time. */
    static final class Jdk extends Signatures {
        @Override
        byte[] sign(EdECPrivateKey key, byte[] publicKey, byte[] message) {
            try {
                Signature signer = Signature.getInstance("Ed25519");
                signer.initSign(key);
                signer.update(message);
                return signer.sign();
            } catch (GeneralSecurityException error) {
                throw new IllegalStateException("This Java cannot sign with its own key", error);
            }
        }

        @Override
        Object prepared(byte[] raw) {
            BigInteger ordinate = Keys.ordinate(raw);
            EdECPoint point = new EdECPoint((raw[Keys.KEY_BYTES - 1] & 0x80) != 0, ordinate);
            try {
                return KeyFactory.getInstance("Ed25519")
                        .generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
            } catch (GeneralSecurityException error) {
                return null; // the key is not on the curve
            }
        }

        @Override
        boolean verify(Object key, byte[] signature, byte[] message) {
            try {
                Signature verifier = Signature.getInstance("Ed25519");
                verifier.initVerify((PublicKey) key);
                verifier.update(message);
                return verifier.verify(signature);
            } catch (GeneralSecurityException error) {
                return false; // S is not below the group order, or R is no point
            }
        }
    }

    /** Bouncy Castle's; signing has a constant running time, too. */
    static final class BouncyCastle extends Signatures {
        @Override
        byte[] sign(EdECPrivateKey key, byte[] publicKey, byte[] message) {
            byte[] seed = key.getBytes().orElseThrow();
            byte[] signature = new byte[SIGNATURE_BYTES];
            Ed25519.sign(seed, 0, publicKey, 0, message, 0, message.length, signature, 0);
            return signature;
        }

        @Override
        Object prepared(byte[] raw) {
            return Ed25519.validatePublicKeyPartialExport(raw, 0);
        }

        @Override
        boolean verify(Object key, byte[] signature, byte[] message) {
            return Ed25519.verify(signature, 0, (Ed25519.PublicPoint) key, message, 0, message.length);
        }
    }
}

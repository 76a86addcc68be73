package p4.core;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.bouncycastle.math.ec.rfc8032.Ed25519;

/**
 * Ed25519 (RFC 8032): that of Corretto's provider or of Bouncy Castle where the program has one, which are many times
 * as fast as the JDK's.
 */
abstract class Signatures {
    private static final int SIGNATURE_BYTES = 64;
    /** Keys that are kept as the arithmetic wants them; each contact has one. */
    private static final int MOST_KEYS = 1024;

    /** By raw key; empty for one that can prove nothing. */
    private final Map<String, Optional<Object>> keys = new ConcurrentHashMap<>();

    /** The fastest that there is. */
    static Signatures best() {
        Provider corretto = corretto();
        if (corretto != null) {
            return new Jca(corretto);
        }
        try {
            Class.forName("org.bouncycastle.math.ec.rfc8032.Ed25519$PublicPoint"); // older ones have no such class
            return new BouncyCastle();
        } catch (ClassNotFoundException | LinkageError error) {
            return new Jca(null);
        }
    }

    /** Amazon Corretto's provider, native code; null where it is not there or does not run on this machine. */
    private static Provider corretto() {
        try {
            Class<?> type = Class.forName("com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider");
            Provider provider = (Provider) type.getField("INSTANCE").get(null);
            boolean runs = type.getMethod("getLoadingError").invoke(provider) == null;
            return runs && provider.getService("Signature", "Ed25519") != null ? provider : null;
        } catch (ReflectiveOperationException | LinkageError error) {
            return null;
        }
    }

    /** A private key as the arithmetic wants it; the two belong together. */
    abstract Object forSigning(EdECPrivateKey key, byte[] publicKey);

    /** A signature over a message, by what {@link #forSigning} gave. */
    abstract byte[] sign(Object key, byte[] message);

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

    /** That of a provider; of the JDK it is in Java and with a constant running time. */
    static final class Jca extends Signatures {
        /** What comes before the raw key in its X.509 form (RFC 8410, section 4). */
        private static final byte[] X509 = HexFormat.of().parseHex("302a300506032b6570032100");

        private final Provider provider;

        /** Of one provider, or null for those of this Java in their order. */
        Jca(Provider provider) {
            this.provider = provider;
        }

        @Override
        Object forSigning(EdECPrivateKey key, byte[] publicKey) {
            return key;
        }

        @Override
        byte[] sign(Object key, byte[] message) {
            try {
                Signature signer = signature();
                signer.initSign((PrivateKey) key);
                signer.update(message);
                return signer.sign();
            } catch (GeneralSecurityException error) {
                throw new IllegalStateException("This Java cannot sign with its own key", error);
            }
        }

        @Override
        Object prepared(byte[] raw) {
            byte[] encoded = Arrays.copyOf(X509, X509.length + raw.length);
            System.arraycopy(raw, 0, encoded, X509.length, raw.length);
            try {
                return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
            } catch (GeneralSecurityException error) {
                return null; // the key is not on the curve
            }
        }

        @Override
        boolean verify(Object key, byte[] signature, byte[] message) {
            try {
                Signature verifier = signature();
                verifier.initVerify((PublicKey) key);
                verifier.update(message);
                return verifier.verify(signature);
            } catch (GeneralSecurityException error) {
                return false; // S is not below the group order, or R is no point
            }
        }

        private Signature signature() throws GeneralSecurityException {
            return provider == null ? Signature.getInstance("Ed25519") : Signature.getInstance("Ed25519", provider);
        }
    }

    /** Bouncy Castle's; signing has a constant running time, too. */
    static final class BouncyCastle extends Signatures {
        private record Pair(byte[] seed, byte[] publicKey) {}

        @Override
        Object forSigning(EdECPrivateKey key, byte[] publicKey) {
            return new Pair(key.getBytes().orElseThrow(), publicKey);
        }

        @Override
        byte[] sign(Object key, byte[] message) {
            Pair pair = (Pair) key;
            byte[] signature = new byte[SIGNATURE_BYTES];
            Ed25519.sign(pair.seed(), 0, pair.publicKey(), 0, message, 0, message.length, signature, 0);
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

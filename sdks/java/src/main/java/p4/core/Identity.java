package p4.core;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.NamedParameterSpec;
import java.util.Arrays;

/** A device's own Ed25519 key pair (spec/identity.md). Safe for use by several threads. */
public final class Identity {
    private final EdECPrivateKey privateKey;
    private final byte[] publicKey;
    private final Object signingKey;
    private final String peerId;

    private Identity(KeyPair pair) {
        privateKey = (EdECPrivateKey) pair.getPrivate();
        byte[] encoded = pair.getPublic().getEncoded(); // X.509 (RFC 8410): the raw key comes last
        publicKey = Arrays.copyOfRange(encoded, encoded.length - Keys.KEY_BYTES, encoded.length);
        signingKey = Keys.SIGNATURES.forSigning(privateKey, publicKey);
        peerId = Keys.peerId(publicKey);
    }

    /**
     * A new identity.
     *
     * @return of a seed that the system's secure random source gave
     */
    public static Identity generate() {
        byte[] seed = new byte[Keys.KEY_BYTES];
        new SecureRandom().nextBytes(seed);
        return fromSeed(seed);
    }

    /**
     * The identity of a seed.
     *
     * @param seed the 32-byte private key of RFC 8032
     * @return its key pair
     * @throws IllegalArgumentException it is not 32 bytes
     */
    public static Identity fromSeed(byte[] seed) {
        if (seed.length != Keys.KEY_BYTES) {
            throw new IllegalArgumentException("an Ed25519 seed has 32 bytes, not " + seed.length);
        }
        Provider[] providers = Security.getProviders("KeyPairGenerator.Ed25519");
        // The JDK makes no public key of a private one, but its generator takes the seed from its random source.
        // Another provider that the program has put before it need not.
        for (Provider provider : providers == null ? new Provider[0] : providers) {
            KeyPair pair = pairOf(seed, provider);
            if (pair != null) {
                return new Identity(pair);
            }
        }
        throw new IllegalStateException("This Java has no Ed25519 that takes a seed");
    }

    /** Null if the provider does not take the seed. */
    private static KeyPair pairOf(byte[] seed, Provider provider) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519", provider);
            generator.initialize(NamedParameterSpec.ED25519, new SeedSource(seed.clone()));
            KeyPair pair = generator.generateKeyPair();
            boolean used = pair.getPrivate() instanceof EdECPrivateKey key
                    && Arrays.equals(key.getBytes().orElseThrow(), seed);
            return used ? pair : null;
        } catch (GeneralSecurityException | IllegalStateException | UnsupportedOperationException error) {
            return null;
        }
    }

    /**
     * The public key.
     *
     * @return raw, 32 bytes
     */
    public byte[] publicKey() {
        return publicKey.clone();
    }

    /**
     * The private key, to be kept where nobody else reads it.
     *
     * @return the 32-byte seed of RFC 8032
     */
    public byte[] seed() {
        return privateKey.getBytes().orElseThrow();
    }

    /**
     * The id derived from the public key.
     *
     * @return 24 hex digits
     */
    public String peerId() {
        return peerId;
    }

    /**
     * The Ed25519 signature over a message.
     *
     * @param message any bytes
     * @return 64 bytes
     */
    public byte[] sign(byte[] message) {
        return Keys.SIGNATURES.sign(signingKey, message);
    }

    @Override
    public String toString() {
        return "Identity " + peerId; // never the seed
    }

    /** Gives one seed; a second question would be a generator that works otherwise. */
    private static final class SeedSource extends SecureRandom {
        private static final long serialVersionUID = 1L;
        private final byte[] seed;

        SeedSource(byte[] seed) {
            this.seed = seed;
        }

        @Override
        public void nextBytes(byte[] bytes) {
            if (bytes.length != seed.length) {
                throw new IllegalStateException("this Java's Ed25519 generator does not take a seed");
            }
            System.arraycopy(seed, 0, bytes, 0, seed.length);
        }
    }
}

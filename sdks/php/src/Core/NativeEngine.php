<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/**
 * Envelopes by P4's native library `libp4_core` (native/include/p4_core.h), through PHP's FFI:
 * `Engines::use(NativeEngine::load('/usr/lib/libp4_core.so'))`.
 *
 * Of the library are: new keys, the check of keys, sealing, and the proof of envelopes. Reading stays PHP's, and so does
 * the proof for a contact that has rotated its key, which the library's interface does not have.
 */
final class NativeEngine implements Engine
{
    private const INTERFACE = '
        char *p4_generate_identity_json(void);
        char *p4_peer_id_from_public_key_b64(const char *public_key_b64);
        char *p4_sign_envelope_json(const char *private_key_b64, const char *sender_peer_id,
                                    const char *recipient_peer_id, const char *payload_json,
                                    uint64_t timestamp_ms, const char *nonce);
        unsigned char p4_verify_envelope_json(const char *envelope_json, const char *signer_public_key_b64,
                                              uint64_t now_ms, uint64_t max_skew_ms);
        char *p4_last_error_message(void);
        void p4_free_string(char *ptr);
    ';

    private readonly SodiumEngine $sodium;

    private function __construct(private readonly \FFI $library)
    {
        $this->sodium = new SodiumEngine();
    }

    /**
     * Load the library.
     *
     * @param string $path of the shared library
     * @throws P4Exception `no-native-library`: FFI is not there or not allowed (`ffi.enable`), or the file cannot be used
     */
    public static function load(string $path): self
    {
        if (!extension_loaded('ffi')) {
            throw self::unusable('This PHP has no FFI extension.');
        }
        try {
            return new self(\FFI::cdef(self::INTERFACE, $path));
        } catch (\FFI\Exception $error) {
            throw self::unusable($error->getMessage(), $error);
        }
    }

    public function newSeed(): string
    {
        $identity = JsonReader::object($this->taken($this->library->p4_generate_identity_json()));
        return Keys::decode((string) $identity['private_key_b64']);
    }

    public function isUsableKey(string $publicKey): bool
    {
        $id = $this->library->p4_peer_id_from_public_key_b64(Keys::encode($publicKey));
        $this->library->p4_free_string($id);
        return $id !== null;
    }

    public function seal(
        Identity $sender,
        string $recipient,
        JsonObject $payload,
        int $timestampMs,
        string $nonceHex,
    ): string {
        return $this->taken($this->library->p4_sign_envelope_json(
            $sender->seedText(),
            $sender->peerId,
            $recipient,
            CanonicalJson::write($payload),
            $timestampMs,
            $nonceHex,
        ));
    }

    public function isSigned(Envelope $envelope, string $publicKey): bool
    {
        if ($envelope->sender !== Keys::peerId($publicKey)) {
            return $this->sodium->isSigned($envelope, $publicKey);
        }
        // The clocks were compared before.
        $key = Keys::encode($publicKey);
        $verified = $this->library->p4_verify_envelope_json($envelope->line, $key, $envelope->timestampMs, 0);
        return $verified === 1;
    }

    /** The text of a string that the library made, which is its own again then. */
    private function taken(?\FFI\CData $string): string
    {
        if ($string === null) {
            $reason = $this->library->p4_last_error_message();
            $text = $reason === null ? 'internal-error: There is no memory left.' : \FFI::string($reason);
            $this->library->p4_free_string($reason);
            [$code, $sentence] = explode(': ', $text, 2) + [1 => $text];
            throw new P4Exception($code, $sentence, 'InputError');
        }
        $text = \FFI::string($string);
        $this->library->p4_free_string($string);
        return $text;
    }

    private static function unusable(string $why, ?\Throwable $previous = null): P4Exception
    {
        $message = "The native library cannot be used: $why Without it PHP's own sodium does the same.";
        return new P4Exception('no-native-library', $message, previous: $previous);
    }
}

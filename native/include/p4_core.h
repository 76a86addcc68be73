/*
 * p4_core.h: the C interface of P4's core library.
 *
 * Strings are UTF-8 and end with NUL. What is passed in stays the caller's and is only read during the call.
 *
 * Ownership: every char * that a function returns belongs to the caller, who gives it back to p4_free_string
 * exactly once, unchanged, and never to free(). It stays valid until then, on any thread.
 *
 * Errors: NULL or 0 means failure. p4_last_error_message then says why, on the same thread, until the next call
 * on that thread; it has the form "code: sentence". The codes are those of the specification (bad-key,
 * duplicate-key, bad-signature, ...) and
 *     null-pointer     a required argument is NULL
 *     not-utf8         an argument is not valid UTF-8
 *     too-long         an argument is longer than 16 MiB
 *     internal-error   a defect of the library; nothing was done
 *
 * Threads: all functions may be called from any number of threads at the same time.
 *
 * JSON that is passed in: no key twice in one object, numbers of a magnitude up to 2^53-1, no half surrogate
 * pairs, at most 32 levels of objects and arrays in a payload. Current P4 nodes read 31, since to them the envelope
 * is one more.
 */
#ifndef P4_CORE_H
#define P4_CORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes a new identity: {"private_key_b64":...,"public_key_b64":...,"peer_id":...}.
 * p4_free_string wipes this copy of the private key.
 */
char *p4_generate_identity_json(void);

/*
 * The peer id, 24 hex digits, of a public key in standard padded base64.
 * Fails with bad-key for everything that cannot serve as a key, points of small order included.
 */
char *p4_peer_id_from_public_key_b64(const char *public_key_b64);

/*
 * Signs a payload, a JSON object, and returns the envelope in canonical form (RFC 8785).
 *   private_key_b64    the 32-byte seed in standard padded base64
 *   sender_peer_id     the id that the recipient knows the sender by
 *   recipient_peer_id  whom it is for
 *   timestamp_ms       Unix time in milliseconds, at most 2^53-1
 *   nonce              never used before by this sender. Current P4 nodes accept 32 hex digits in lower case
 *                      (16 random bytes) only; this function takes any text, as version 1 did.
 */
char *p4_sign_envelope_json(const char *private_key_b64, const char *sender_peer_id,
                            const char *recipient_peer_id, const char *payload_json,
                            uint64_t timestamp_ms, const char *nonce);

/*
 * 1 if the owner of the key signed the envelope and the clocks differ by at most max_skew_ms, otherwise 0.
 * Checked in this order: JSON, version, form, the sender's id against the key (wrong-sender), the time
 * (bad-time), the signature (bad-signature). NOT checked: whether it is addressed to you (compare
 * recipient_peer_id), and whether you have received it before (remember nonces).
 */
unsigned char p4_verify_envelope_json(const char *envelope_json, const char *signer_public_key_b64,
                                      uint64_t now_ms, uint64_t max_skew_ms);

/*
 * Why the last call on this thread failed; an empty string if it did not. Does not change the answer of the next
 * call. NULL only if there is no memory left to speak of.
 */
char *p4_last_error_message(void);

/* Wipes and frees a string that this library returned. NULL is ignored. */
void p4_free_string(char *ptr);

#ifdef __cplusplus
}
#endif

#endif /* P4_CORE_H */

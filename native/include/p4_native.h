/*
 * p4_native.h: what P4's core library offers beyond version 1's interface (p4_core.h): identities, envelopes,
 * replay windows and invites, strictly as the specification and the shared vectors have them.
 *
 * It is in the same library as p4_core.h. Ownership and threads of strings and errors are described there: every
 * char * that a function returns goes back to p4_free_string; NULL or 0 means failure, and p4_last_error_message says
 * why as "code: sentence". A NULL argument fails with null-pointer, where a function can fail.
 *
 * Handles (p4_identity, p4_replay_window) belong to the caller, who frees each exactly once. An identity may be used
 * by several threads at the same time, a replay window by one at a time.
 *
 * Text and bytes come with their length in bytes and need no NUL. Keys, seeds, nonces and signatures are raw bytes.
 */
#ifndef P4_NATIVE_H
#define P4_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define P4_SEED_BYTES 32
#define P4_PUBLIC_KEY_BYTES 32
#define P4_SIGNATURE_BYTES 64
#define P4_NONCE_BYTES 16

/* A private key with all that is derived from it; it is wiped when it is freed. */
typedef struct p4_identity p4_identity;

/* The envelopes of one sender that were accepted. */
typedef struct p4_replay_window p4_replay_window;

/* A new identity from the system's randomness. Fails with no-randomness. */
p4_identity *p4_identity_generate(void);

/* The identity of a seed, P4_SEED_BYTES. */
p4_identity *p4_identity_from_seed(const uint8_t *seed);

/* NULL is ignored. */
void p4_identity_free(p4_identity *identity);

/* Writes the seed, P4_SEED_BYTES: the secret to keep. */
unsigned char p4_identity_seed(const p4_identity *identity, uint8_t *seed);

/* Writes the public key, P4_PUBLIC_KEY_BYTES. */
unsigned char p4_identity_public_key(const p4_identity *identity, uint8_t *public_key);

/* Writes the Ed25519 signature of a message, P4_SIGNATURE_BYTES. */
unsigned char p4_identity_sign(const p4_identity *identity, const uint8_t *message, size_t length, uint8_t *signature);

/* The peer id, 24 hex digits. Fails with bad-key for what cannot serve as a key, points of small order included. */
char *p4_public_key_peer_id(const uint8_t *public_key);

/* 1 if the signature, P4_SIGNATURE_BYTES, is the key's. Fails with bad-key, bad-signature. */
unsigned char p4_public_key_verify(const uint8_t *public_key, const uint8_t *message, size_t length,
                                   const uint8_t *signature);

/* The canonical form (RFC 8785) of a JSON object. Fails with the codes of JSON. */
char *p4_canonical_json(const char *json, size_t length);

/*
 * Signs a payload, a JSON object, for one recipient: one line of canonical JSON without its end. The nonce,
 * P4_NONCE_BYTES, was never used before. Fails with codes of JSON, bad-field (recipient), too-long.
 */
char *p4_envelope_seal(const p4_identity *identity, const char *recipient_peer_id, const char *payload_json,
                       size_t payload_length, uint64_t timestamp_ms, const uint8_t *nonce);

/*
 * Reads an envelope and checks its form; nothing is proven by that: {"sender":...,"recipient":...}, to look up the
 * sender's key. Fails with too-long, the codes of JSON, bad-version, missing-field, bad-field.
 */
char *p4_envelope_read(const char *line, size_t length);

/*
 * Reads an envelope and proves that the owner of the key sent it to `me` at about this time:
 * {"nonce_hex":...,"payload":{...},"sender":...,"timestamp_ms":...}. Next, ask the sender's replay window.
 * Fails as p4_envelope_read, then with wrong-sender, wrong-recipient, bad-time, bad-signature.
 */
char *p4_envelope_open(const char *line, size_t length, const uint8_t *signer_public_key, const char *me_peer_id,
                       uint64_t now_ms, uint64_t max_skew_ms);

/*
 * Reads an invite of version 1: {"address":...,"peer_id":...,"port":...,"public_key_b64":...,"transport":...}.
 * Fails with too-large, not-utf8, the codes of JSON, and those of invites (bad-key, wrong-id, bad-port, ...).
 */
char *p4_invite_read(const char *text, size_t length);

/* Writes an invite of version 1: canonical JSON. */
char *p4_invite_write(const uint8_t *public_key, const char *transport, const char *address, uint16_t port);

/* The window of a sender from whom nothing was accepted yet; it keeps at most `capacity` entries (4096 is usual). */
p4_replay_window *p4_replay_window_new(size_t capacity);

/* The window that was stored: `count` times, and as many nonces one behind the other, in any order. */
p4_replay_window *p4_replay_window_restore(uint64_t floor_ms, const uint64_t *times_ms, const uint8_t *nonces,
                                           size_t count, size_t capacity);

/* NULL is ignored. */
void p4_replay_window_free(p4_replay_window *window);

/* 1 if it is new, and remembers it: store the window before you act. Fails with replayed; the window is unchanged. */
unsigned char p4_replay_window_accept(p4_replay_window *window, const uint8_t *nonce, uint64_t timestamp_ms);

/* Forgets entries that are too old to be accepted by their time anyway. */
unsigned char p4_replay_window_prune(p4_replay_window *window, uint64_t now_ms);

/* Nothing that is not newer than this is accepted. */
uint64_t p4_replay_window_floor_ms(const p4_replay_window *window);

/* How many entries there are. */
size_t p4_replay_window_count(const p4_replay_window *window);

/* Writes all entries, the oldest first, into room for p4_replay_window_count of each. */
unsigned char p4_replay_window_entries(const p4_replay_window *window, uint64_t *times_ms, uint8_t *nonces);

#ifdef __cplusplus
}
#endif

#endif /* P4_NATIVE_H */

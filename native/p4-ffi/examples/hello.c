/* Alice signs, Bob verifies. Build: cc -Iinclude hello.c -lp4_core */
#include <p4_core.h>

#include <stdio.h>
#include <string.h>

/* The text of one key of {"key":"text",...}; a real program uses its JSON library. */
static void text_of(const char *json, const char *key, char out[64]) {
    const char *start = strstr(json, key) + strlen(key) + strlen("\":\"");
    size_t length = strcspn(start, "\"");
    memcpy(out, start, length);
    out[length] = '\0';
}

int main(void) {
    char seed[64], key[64], id[64];
    char *alice = p4_generate_identity_json();
    if (alice == NULL) return 1;
    text_of(alice, "private_key_b64", seed);
    text_of(alice, "public_key_b64", key);
    text_of(alice, "peer_id", id);
    p4_free_string(alice); /* wiped, too */

    char *envelope = p4_sign_envelope_json(seed, id, "24f6ed6acbfe1009c030d7ca", "{\"text\":\"hi\"}",
                                           1700000000000, "000102030405060708090a0b0c0d0e0f");
    if (envelope == NULL || !p4_verify_envelope_json(envelope, key, 1700000000000, 60000)) {
        char *reason = p4_last_error_message(); /* "code: sentence" */
        fprintf(stderr, "%s\n", reason);
        p4_free_string(reason);
        return 1;
    }
    p4_free_string(envelope);
    puts("ok");
    return 0;
}

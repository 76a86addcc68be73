/* The types of all functions as programs of version 1 know them, and what a careless caller does. */
#include <p4_core.h>
#include <p4_core.h> /* twice, on purpose */

#include <stdio.h>
#include <string.h>

static char *(*const generate)(void) = p4_generate_identity_json;
static char *(*const peer_id)(const char *) = p4_peer_id_from_public_key_b64;
static char *(*const sign)(const char *, const char *, const char *, const char *, uint64_t,
                           const char *) = p4_sign_envelope_json;
static unsigned char (*const verify)(const char *, const char *, uint64_t, uint64_t) = p4_verify_envelope_json;
static char *(*const last_error)(void) = p4_last_error_message;
static void (*const release)(char *) = p4_free_string;

static int fails_with(const char *code) {
    char *reason = last_error();
    int same = reason != NULL && strncmp(reason, code, strlen(code)) == 0;
    if (!same) fprintf(stderr, "not %s but %s\n", code, reason ? reason : "NULL");
    release(reason);
    return same;
}

int main(void) {
    char *identity = generate();
    if (identity == NULL || !fails_with("")) return 1;
    release(identity);
    if (peer_id(NULL) != NULL || !fails_with("null-pointer")) return 2;
    if (peer_id("\xff") != NULL || !fails_with("not-utf8")) return 3;
    if (sign(NULL, NULL, NULL, NULL, 0, NULL) != NULL || !fails_with("null-pointer")) return 4;
    if (verify("{", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", 0, 0) != 0 || !fails_with("not-json")) return 5;
    release(NULL);
    puts("ok");
    return 0;
}

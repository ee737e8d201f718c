/* What people and other programs write as a secret, an algorithm or a code: the first byte chooses. What is read comes out the same again. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mfa/recovery.h"
#include "mfa/totp.h"

static void insist(int ok)
{
    if (!ok)
        abort();
}

static void try_base32(const char *text)
{
    uint8_t secret[TOTP_SECRET_MAX], again[TOTP_SECRET_MAX];
    char written[TOTP_BASE32_MAX + 1], uri[1024];
    size_t size = 0, size_again = 0;

    if (totp_base32_read(text, secret, &size) < 0)
        return;
    insist(size >= TOTP_SECRET_MIN && size <= TOTP_SECRET_MAX);
    totp_base32(secret, size, written);
    insist(strlen(written) == (size * 8 + 4) / 5);
    insist(totp_base32_read(written, again, &size_again) == 0 && size_again == size);
    insist(memcmp(secret, again, size) == 0);
    insist(totp_uri(&totp_default, "a b", "c", written, uri, sizeof(uri)) == 0 && strchr(uri, ' ') == NULL);
}

static void try_code(const char *text)
{
    static const uint8_t secret[20] = "12345678901234567890";
    static const struct recovery_hashes none = {.used = {[0 ... MFA_RECOVERY_COUNT - 1] = true}};
    uint64_t step = 0;
    unsigned number = 0;

    if (totp_find(&totp_default, secret, sizeof(secret), 1000, 1, 1, text, &step) == 1)
        insist(strlen(text) == 6 && step >= 999 && step <= 1001);
    /* Hashing is slow: only what looks like one, and that hashes to nothing that is left. */
    if (recovery_is_code(text))
        insist(recovery_find(&none, text, &number) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = NULL;

    if (size == 0)
        return 0;
    text = text_copy((const char *)data + 1, size - 1);
    if (!text)
        return 0;
    switch (data[0] % 3) {
    case 0:
        try_base32(text);
        break;
    case 1:
        try_code(text);
        break;
    default:
        insist(totp_algorithm_from_name(text) < TOTP_ALGORITHM_COUNT_);
        break;
    }
    return 0;
}

/*
 * Files of other verifiers, of any bytes. The first byte says which: 'g' google-authenticator, anything else pam_oath. Whatever comes: it
 * ends, what is carried over is a secret of 128 bits or more under supported settings, and no line is told without an outcome.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import_factor.h"
#include "fuzz/fuzz.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

static void check_credential(const struct import_credential *c, int64_t now)
{
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size = 0;

    insist(totp_base32_read(c->base32, secret, &size) == 0);
    insist(size >= TOTP_SECRET_MIN);
    insist(totp_settings_are_valid(&c->settings));
    insist(c->step <= totp_step(&c->settings, now));
    insist(memchr(c->user, '\0', sizeof(c->user)) != NULL && !strchr(c->user, ':'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t now = INT64_C(1795392000) * 1000000;
    struct import_account account = {0};
    int google = size > 0 && data[0] == 'g', r;
    size_t carried = 0;

    if (size == 0)
        return 0;
    r = google ? import_google((const char *)data + 1, size - 1, now, &account)
               : import_oath((const char *)data + 1, size - 1, &account);
    insist(r == 0 || r == -EFBIG || r == -EBADMSG);
    for (size_t i = 0; i < account.n_lines; i++) {
        insist(import_outcome_name(account.lines[i].outcome)[0] != 0);
        carried += account.lines[i].outcome == IMPORT_CARRIED;
    }
    insist(carried == account.n_credentials);
    insist(!google || account.n_credentials <= 1);
    for (size_t i = 0; i < account.n_credentials; i++)
        check_credential(&account.credentials[i], now);
    import_account_wipe(&account);
    return 0;
}

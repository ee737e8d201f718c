/*
 * USBGuard's rules of any bytes: the import ends soon and in memory, and what it writes always loads and is well under one policy. The
 * first byte 0xff: what follows up to a NUL is usbguard-daemon.conf.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/findings.h"
#include "policy/import_usbguard.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

static void check_account(const struct policy_import_account *a, int result)
{
    size_t invalid = 0;

    for (size_t i = 0; i < a->n; i++) {
        insist(policy_import_outcome_name(a->lines[i].outcome)[0] != 0);
        insist(a->lines[i].outcome == POLICY_IMPORT_CARRIED || a->lines[i].reasons != 0);
        invalid += a->lines[i].outcome == POLICY_IMPORT_INVALID;
    }
    insist((result == POLICY_IMPORT_E_INVALID) == (result >= 0 && invalid > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_import_options options = {.organization = "example", .name = "fuzz"};
    struct policy_import_account account = {0};
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    const uint8_t *stop;
    struct buf b;
    int r;

    if (size > 0 && data[0] == 0xff) {
        stop = memchr(data, 0, size);
        options.configuration = data + 1;
        options.configuration_size = (size_t)((stop ? stop : data + size) - options.configuration);
        size -= options.configuration_size + 1;
        data = options.configuration + options.configuration_size;
    }
    buf_init(&b, POLICY_DOCUMENT_MAX);
    r = policy_import_usbguard(&options, data, size, &account, &b);
    insist(r == 0 || r == POLICY_IMPORT_E_INVALID || r == -EFBIG || r == -ENOBUFS);
    check_account(&account, r);
    insist((r == 0) == (b.size > 0));
    if (r == 0) {
        insist(policy_load("imported", b.data, b.size, &findings, &p) == 0);
        insist(p->mode == POLICY_ENFORCE);
    }
    (void)policy_unref(p);
    policy_findings_done(&findings);
    policy_import_account_done(&account);
    buf_done(&b);
    return 0;
}

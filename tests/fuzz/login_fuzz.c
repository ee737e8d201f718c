#include "fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/login.h"

/* What kuraband, or who sits in its place, answers to a login: the first byte is the step, the rest the fields. Whatever they are, only an
 * answer to a code says "accepted", and only the first question's "not needed". */

static void check(enum ctl_login_step step, const struct ctl_login_answer *a)
{
    bool asked = step == CTL_LOGIN_ASK;

    if (a->outcome >= CTL_LOGIN_OUTCOMES_ || a->n_recovery > CTL_LOGIN_RECOVERY_MAX)
        abort();
    if (a->outcome == CTL_LOGIN_ACCEPTED && asked)
        abort();
    if ((a->outcome == CTL_LOGIN_NEEDED || a->outcome == CTL_LOGIN_NOT_NEEDED || a->outcome == CTL_LOGIN_GRACE) &&
        !asked)
        abort();
    if ((a->uri[0] || a->base32[0]) && step != CTL_LOGIN_ENROL)
        abort();
    if (a->n_recovery > 0 && step != CTL_LOGIN_CONFIRM)
        abort();
    if (strnlen(a->uri, sizeof(a->uri)) == sizeof(a->uri) || strnlen(a->base32, sizeof(a->base32)) == sizeof(a->base32))
        abort();
    for (unsigned i = 0; i < a->n_recovery; i++)
        if (strnlen(a->recovery[i], CTL_LOGIN_RECOVERY_SIZE) == CTL_LOGIN_RECOVERY_SIZE)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_login_answer answer = {.outcome = CTL_LOGIN_OUTCOMES_};
    enum ctl_login_step step;

    if (size == 0)
        return 0;
    step = (enum ctl_login_step)(data[0] % 4);
    if (ctl_login_read((struct buf_reader){.data = data + 1, .size = size - 1}, step, &answer) == 0)
        check(step, &answer);
    else if (answer.outcome != CTL_LOGIN_OUTCOMES_)
        abort(); /* untouched on failure */
    ctl_login_wipe(&answer);
    return 0;
}

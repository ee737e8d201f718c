/*
 * Owns: the words of CTL_MFA_LOGIN. Must not: decide what an outcome means to the person who logs in (pam/), nor know how codes are
 * verified (mfa/).
 */
#include "ctl/login.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "ctl/fields.h"
#include "ctl/protocol.h"

void ctl_login_wipe(struct ctl_login_answer *a)
{
    explicit_bzero(a, sizeof(*a));
}

/* What a remote side chose, like the name of its host, must not make the question too long to be asked. */
static int add_text(struct buf *b, const char *s, size_t maximum)
{
    size_t size = s ? strnlen(s, maximum) : 0;
    int r = buf_add_u32(b, (uint32_t)size);

    return r < 0 ? r : buf_add(b, s, size);
}

int ctl_login_write(struct buf *request, const struct ctl_login *login)
{
    int r;

    r = buf_add_u8(request, (uint8_t)login->step);
    if (r >= 0)
        r = buf_add_u32(request, login->uid);
    if (r >= 0)
        r = add_text(request, login->user, CTL_LOGIN_TEXT_MAX);
    if (r >= 0)
        r = add_text(request, login->service, CTL_LOGIN_SERVICE_MAX);
    if (r >= 0)
        r = add_text(request, login->rhost, CTL_LOGIN_TEXT_MAX);
    if (r >= 0)
        r = add_text(request, login->tty, CTL_LOGIN_TEXT_MAX);
    if (r >= 0)
        r = buf_add_string(request, login->code);
    return r;
}

static bool can_answer(enum ctl_login_step step, uint8_t outcome)
{
    switch (outcome) {
    case CTL_LOGIN_ACCEPTED:
        return step != CTL_LOGIN_ASK;
    case CTL_LOGIN_NEEDED:
    case CTL_LOGIN_NOT_NEEDED:
    case CTL_LOGIN_GRACE:
        return step == CTL_LOGIN_ASK;
    default:
        return outcome < CTL_LOGIN_OUTCOMES_;
    }
}

/* Into an array of size bytes, the NUL included. */
static int read_text(struct buf_reader *r, char *ret, size_t size)
{
    _cleanup_free_ char *text = NULL;
    int e = buf_get_string(r, size - 1, &text);

    if (e < 0)
        return e;
    memcpy(ret, text, strlen(text) + 1);
    explicit_bzero(text, strlen(text));
    return 0;
}

static int read_offer(struct buf_reader *r, struct ctl_login_answer *a)
{
    int e = read_text(r, a->base32, sizeof(a->base32));

    return e < 0 ? e : read_text(r, a->uri, sizeof(a->uri));
}

static int read_recovery(struct buf_reader *r, struct ctl_login_answer *a)
{
    uint8_t n;
    int e = buf_get_u8(r, &n);

    if (e >= 0 && n > CTL_LOGIN_RECOVERY_MAX)
        e = -EBADMSG;
    for (unsigned i = 0; e >= 0 && i < n; i++)
        e = read_text(r, a->recovery[a->n_recovery++], CTL_LOGIN_RECOVERY_SIZE);
    return e;
}

static int read_answer(struct buf_reader *r, enum ctl_login_step step, struct ctl_login_answer *a)
{
    uint8_t outcome, flags;
    int e;

    e = buf_get_u8(r, &outcome);
    if (e >= 0)
        e = buf_get_u32(r, &a->number);
    if (e >= 0)
        e = buf_get_u8(r, &flags);
    if (e >= 0 && !can_answer(step, outcome))
        e = -EBADMSG;
    if (e >= 0 && step == CTL_LOGIN_ENROL && outcome == CTL_LOGIN_ACCEPTED)
        e = read_offer(r, a);
    if (e >= 0 && step == CTL_LOGIN_CONFIRM && outcome == CTL_LOGIN_ACCEPTED)
        e = read_recovery(r, a);
    if (e >= 0)
        e = buf_get_end(r);
    if (e < 0)
        return e;
    a->outcome = (enum ctl_login_outcome)outcome;
    a->flags = flags;
    return 0;
}

int ctl_login_read(struct buf_reader fields, enum ctl_login_step step, struct ctl_login_answer *ret)
{
    struct ctl_login_answer answer = {0};
    int e = read_answer(&fields, step, &answer);

    if (e >= 0)
        *ret = answer;
    ctl_login_wipe(&answer);
    return e;
}

int ctl_login_ask(const char *directory, const struct ctl_login *login, int *budget_ms, struct ctl_login_answer *ret)
{
    struct buf request, answer;
    struct buf_reader fields;
    uint32_t code;
    int r;

    buf_init(&request, FRAME_BODY_MAX);
    buf_init(&answer, FRAME_BODY_MAX);
    r = ctl_login_write(&request, login);
    if (r >= 0)
        r = ctl_fields_ask(directory, CTL_MFA_LOGIN, &request, budget_ms, &answer, &code, &fields);
    if (r >= 0 && code != CTL_CODE_OK)
        r = -EPROTO;
    if (r >= 0)
        r = ctl_login_read(fields, login->step, ret);
    buf_done(&request);
    buf_done(&answer);
    return r;
}

/*
 * What requests that want codes have in common. Owns: the codes while they are here, and wipes them; the order in which they are looked at. Must
 * not: know what they are for.
 */
#include "daemon/codes.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/server.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/factor.h"
#include "daemon/peer.h"
#include "daemon/sessions.h"
#include "json/whole.h"

int codes_get(struct buf_reader *in, struct codes *ret)
{
    int r = buf_get_string(in, MFA_CODE_MAX, &ret->items[0]);

    if (r >= 0)
        r = buf_get_u8(in, &ret->n);
    if (r >= 0 && ret->n > GRANT_APPROVERS_MAX)
        r = -EBADMSG;
    for (size_t i = 0; r >= 0 && i < ret->n; i++) {
        uint32_t uid = 0;

        r = buf_get_u32(in, &uid);
        if (r >= 0)
            r = buf_get_string(in, MFA_CODE_MAX, &ret->items[1 + i]);
        ret->approvers[i] = uid;
    }
    return r < 0 ? r : buf_get_end(in);
}

void codes_done(struct codes *c)
{
    for (size_t i = 0; i < ELEMENTS(c->items); i++) {
        if (c->items[i])
            OPENSSL_cleanse(c->items[i], strlen(c->items[i]));
        free(c->items[i]);
    }
    *c = (struct codes){0};
}

bool codes_are_of_others(const struct codes *c, uid_t uid)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->approvers[i] == uid)
            return false;
        for (size_t j = 0; j < i; j++)
            if (c->approvers[i] == c->approvers[j])
                return false;
    }
    return true;
}

int codes_find_people(const struct codes *c, struct codes_people *ret)
{
    for (size_t i = 0; i < c->n; i++) {
        struct decide_person *p = &ret->items[i];
        int r;

        *p = (struct decide_person){.uid = c->approvers[i], .login_uid = c->approvers[i]};
        r = sessions_groups_of(p->uid, &ret->gids[i], &p->n_gids, &p->groups_unknown);
        if (r < 0)
            return r;
        p->gids = ret->gids[i];
    }
    return 0;
}

void codes_people_done(struct codes_people *p)
{
    for (size_t i = 0; i < ELEMENTS(p->gids); i++)
        free(p->gids[i]);
}

bool codes_are_of_other_logins(const struct codes *c, const struct daemon *d, const struct ctl_peer *peer)
{
    uid_t login = UINT32_MAX;

    if (c->n == 0)
        return true;
    if (peer_login_uid(d->proc_fd, peer, &login) < 0 || login == UINT32_MAX)
        return false;
    for (size_t i = 0; i < c->n; i++)
        if (c->approvers[i] == login)
            return false;
    return true;
}

/* i: 0 who asks, from 1 the approvers. */
static bool is_asked(const bool *asked, size_t i)
{
    return i == 0 || !asked || asked[i - 1];
}

bool codes_are_there(const struct codes *c, const bool *asked)
{
    for (size_t i = 0; i < 1U + c->n; i++)
        if (is_asked(asked, i) && c->items[i][0] == '\0')
            return false;
    return true;
}

static struct factor_attempt attempt(const struct codes *c, const struct codes_use *use, size_t i)
{
    return (struct factor_attempt){
        .peer = use->peer,
        .uid = i == 0 ? use->peer->uid : c->approvers[i - 1],
        .purpose = i == 0 ? use->purpose : "approve",
        .about = use->about,
        .details = use->details,
        .code = c->items[i],
    };
}

static bool look_ahead(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    bool looked_at = factor_is_looked_at(d, a, ret);

    if (!looked_at)
        factor_record(d, a, ret);
    return looked_at;
}

static bool look(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    factor_verify(d, a, ret);
    return ret->outcome == MFA_ACCEPTED;
}

/* From the first one to before the end. */
static int all_are(const struct codes *c, const struct codes_use *use, size_t first, size_t end,
                   bool (*good)(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret),
                   uid_t *ret_whose, struct mfa_result *ret)
{
    for (size_t i = first; i < end; i++) {
        const struct factor_attempt a = attempt(c, use, i);
        struct mfa_result result = {0};

        if (!is_asked(use->asked, i) || good(use->daemon, &a, &result))
            continue;
        *ret_whose = a.uid;
        *ret = result;
        return -EPERM;
    }
    return 0;
}

int codes_verify(const struct codes *c, const struct codes_use *use, uid_t *ret_whose, struct mfa_result *ret)
{
    const size_t end = 1U + c->n;
    int r = all_are(c, use, 0, 1, look, ret_whose, ret);

    /* Whether a colleague is locked, or has a second factor at all, is told to nobody who does not show who they are: it costs them a code. */
    if (r == 0)
        r = all_are(c, use, 1, end, look_ahead, ret_whose, ret);
    return r < 0 ? r : all_are(c, use, 1, end, look, ret_whose, ret);
}

void codes_describe(json_t **answer, uid_t whose, const struct mfa_result *result)
{
    whole_set(answer, "whose", json_integer(whose));
    whole_set(answer, "outcome", json_string(mfa_outcome_name(result->outcome)));
    whole_set(answer, "number", json_integer(result->number));
}

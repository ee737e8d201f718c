/*
 * Owns: what a terminal is answered.
 * Must not: sign for one that waits, was revoked, or under a root document that is over.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "hub/enrol/internal.h"
#include "hub/enrol/membership.h"
#include "hub/enrol/root_chain.h"
#include "policy/trust/json.h"

enum {
    DAY_S = 24 * 60 * 60
};

int enrol_refuse(struct hub_enrol_answer *ret, unsigned status, const char *error, const char *message, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list args;

    va_start(args, message);
    text = text_vformat(message, args);
    va_end(args);
    if (!text)
        return -ENOMEM;
    ret->status = status;
    ret->error = error;
    ret->body = json_pack("{s:s, s:s}", "error", error, "message", text);
    return ret->body ? 0 : -ENOMEM;
}

int enrol_jwt(struct hub_enrol *e, const struct hub_terminal *t, const char *const *groups, int64_t now_us, char **ret)
{
    const struct broker_keys keys = {e->wire.operator, e->wire.account, e->wire.system, e->wire.terminals};
    char tokens[BROKER_GROUPS_MAX][FLEET_TOKEN_SIZE];
    const char *list[BROKER_GROUPS_MAX + 1] = {0};
    size_t n = 0;
    int r = 0;

    for (; r >= 0 && *groups; groups++) {
        if (n == BROKER_GROUPS_MAX)
            return -E2BIG;
        r = fleet_group_token(*groups, tokens[n]);
        list[n] = tokens[n];
        n++;
    }
    if (r < 0)
        return r;
    return broker_terminal_jwt(&keys, t->id, t->wire_key, list, now_us / 1000000,
                               now_us / 1000000 + (int64_t)HUB_ENROL_JWT_DAYS * DAY_S, ret);
}

/* In a transaction of its own: what is handed out is kept. */
static int membership_of(struct hub_enrol *e, const struct hub_terminal *t, const char *const *groups, int64_t now_us,
                         json_t **ret)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    size_t size = 0;
    int r = hub_store_begin(e->centre.store);

    if (r == 0)
        r = hub_store_finish(e->centre.store, hub_membership_of(e->centre.store, e->head, e->organization, t, groups,
                                                                now_us, &envelope, &size));
    if (r == 0)
        r = trust_json_load(envelope, size, TRUST_ENVELOPE_MAX, "membership", ret, NULL);
    return r > 0 ? -EUCLEAN : r;
}

static int hand_out(struct hub_enrol *e, const struct hub_terminal *t, const char *const *groups, json_t *roots,
                    int64_t now_us, struct hub_enrol_answer *ret)
{
    _cleanup_json_ json_t *membership = NULL;
    _cleanup_free_ char *jwt = NULL;
    int r = membership_of(e, t, groups, now_us, &membership);

    if (r >= 0)
        r = enrol_jwt(e, t, groups, now_us, &jwt);
    if (r < 0)
        return r;
    ret->status = 200;
    ret->body =
        json_pack("{s:O, s:O, s:s, s:O}", "membership", membership, "roots", roots, "jwt", jwt, "urls", e->urls);
    return ret->body ? 0 : -ENOMEM;
}

int enrol_hand_out(struct hub_enrol *e, const char *terminal, int64_t now_us, struct hub_enrol_answer *ret)
{
    struct hub_terminal_groups groups;
    _cleanup_json_ json_t *roots = NULL;
    struct trust_root *newest = NULL;
    struct hub_terminal t;
    int r = hub_terminal_get(e->centre.store, terminal, &t, &groups);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    if (t.approved_us == 0) {
        ret->status = 202;
        ret->body = json_pack("{s:s}", "state", "waits");
        return ret->body ? 0 : -ENOMEM;
    }
    r = root_chain_read(e->centre.store, &roots, &newest);
    (void)trust_root_free(newest);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    return hand_out(e, &t, groups.list, roots, now_us, ret);
}

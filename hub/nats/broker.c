/*
 * Owns: the subjects of a terminal: what it may say, and what it may hear.
 * Must not: let one speak as another, or read what is another group's.
 */
#include "hub/nats/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "hub/nats/jwt.h"
#include "hub/nats/server_conf.h"

/* A direct get of the last message of a subject (JetStream, 2.9): the subject stands in the request's. */
static const char *const may_publish[] = {
    "evt.{{name()}}.>",
    "rep.{{name()}}",
    "$JS.API.DIRECT.GET.POL.pol.{{tag(group)}}",
    "$JS.API.DIRECT.GET.CMD.cmd.{{name()}}.*",
    "$JS.API.DIRECT.GET.ACK.ack.{{name()}}",
    NULL,
};
static const char *const may_subscribe[] = {
    "cmd.{{name()}}.*", "ack.{{name()}}", "pol.{{tag(group)}}", "_INBOX.{{name()}}.>", NULL,
};

struct jwts {
    char *operator, * account, *system;
};

static void jwts_done(struct jwts *j)
{
    free(j->operator);
    free(j->account);
    free(j->system);
}

static int make_jwts(const struct broker_keys *keys, const char *organization, int64_t now_s, struct jwts *ret)
{
    const struct jwt_scope scope = {.key = wire_key_public(keys->terminals),
                                    .role = "terminal",
                                    .publish = may_publish,
                                    .subscribe = may_subscribe,
                                    .payload_max = BROKER_PAYLOAD_MAX,
                                    .subscriptions_max = BROKER_SUBSCRIPTIONS_MAX};
    const struct jwt_account account = {.name = "KURABAN",
                                        .public = wire_key_public(keys->account),
                                        .jetstream = true,
                                        .scopes = &scope,
                                        .n_scopes = 1},
                             system = {.name = "SYS", .public = wire_key_public(keys->system)};
    int r = jwt_operator(keys->operator, organization, system.public, now_s, &ret->operator);

    if (r >= 0)
        r = jwt_account(keys->operator, & account, now_s, &ret->account);
    return r < 0 ? r : jwt_account(keys->operator, & system, now_s, &ret->system);
}

int broker_write(const struct broker_keys *keys, const struct broker_settings *s, int64_t now_s, struct buf *b)
{
    _cleanup_(jwts_done) struct jwts jwts = {0};
    int r = make_jwts(keys, s->organization, now_s, &jwts);
    const struct server_conf_account accounts[] = {{wire_key_public(keys->account), jwts.account},
                                                   {wire_key_public(keys->system), jwts.system}};
    const struct server_conf conf = {.name = "kuraban-1",
                                     .address = s->address,
                                     .port = s->port,
                                     .directory = s->directory,
                                     .operator_jwt = jwts.operator,
                                     .system_account = wire_key_public(keys->system),
                                     .accounts = accounts,
                                     .n_accounts = ELEMENTS(accounts),
                                     .certificate = s->certificate,
                                     .key = s->key,
                                     .ca = s->ca,
                                     .store_max = s->store_max};

    return r < 0 ? r : server_conf_write(&conf, b);
}

int broker_hub_jwt(const struct broker_keys *keys, const char *public, int64_t now_s, int64_t expires_s, char **ret)
{
    const struct jwt_user user = {
        .name = "hub", .public = public, .account = wire_key_public(keys->account), .expires = expires_s};

    return jwt_user(keys->account, &user, now_s, ret);
}

int broker_terminal_jwt(const struct broker_keys *keys, const char *id, const char *public, const char *const *groups,
                        int64_t now_s, int64_t expires_s, char **ret)
{
    char *tags[BROKER_GROUPS_MAX + 1] = {0};
    const struct jwt_user user = {.name = id,
                                  .public = public,
                                  .account = wire_key_public(keys->account),
                                  .tags = (const char *const *)tags,
                                  .expires = expires_s};
    int r = 0;

    for (size_t i = 0; r >= 0 && groups[i]; i++) {
        if (i == BROKER_GROUPS_MAX)
            r = -EINVAL;
        else if (asprintf(&tags[i], "group:%s", groups[i]) < 0) {
            tags[i] = NULL;
            r = -ENOMEM;
        }
    }
    if (r >= 0)
        r = jwt_user(keys->terminals, &user, now_s, ret);
    for (size_t i = 0; i < BROKER_GROUPS_MAX; i++)
        free(tags[i]);
    return r;
}

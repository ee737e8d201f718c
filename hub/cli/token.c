/* kuraban-hub token: what lets a terminal in. The token itself is shown once and kept nowhere. */
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/tokens.h"

enum {
    OPTION_GROUP,
    OPTION_SERIAL,
    OPTION_HOURS,
    OPTION_APPROVAL,
};

enum {
    HOURS_DEFAULT = 72,
};

const struct cli_option hub_token_create_options[] = {
    [OPTION_GROUP] = {"group", "NAME", N_("the group it lets a terminal into")},
    [OPTION_SERIAL] = {"serial", "SERIAL", N_("only the machine with this serial number")},
    [OPTION_HOURS] = {"hours", "N", N_("how long it is good for (72)")},
    [OPTION_APPROVAL] = {"approval", NULL, N_("what it lets in waits for “terminals approve”")},
    {0},
};

/* --- create --- */

static void show_created(struct cli *c, const json_t *answer)
{
    char until[VALUE_TIME_SIZE];

    (void)fprintf(c->out, _("Token %lld for the group %s, good for one terminal until %s. It is shown this once:"),
                  (long long)value_number(answer, "number"), cli_safe(c, value_string(answer, "group")),
                  value_time(value_string(answer, "expires"), until));
    (void)fprintf(c->out, "\n\n    %s\n\n", value_string(answer, "token"));
    (void)fputs(_("The terminal is given it together with the pin of the centre:"), c->out);
    (void)fprintf(c->out, "\n    %s\n", value_string(answer, "ca-pin"));
}

static enum cli_exit refused(struct cli *c, int result, const char *group)
{
    switch (result) {
    case HUB_TOKEN_E_GROUP:
        cli_error(c, _("there is no group %s; “kuraban-hub group create” makes one"), cli_safe(c, group));
        return CLI_NO;
    case HUB_TOKEN_E_SERIAL:
        return cli_usage(c, _("a serial number is printable text of at most %d bytes"), HUB_SERIAL_MAX);
    case HUB_TOKEN_E_HOURS:
        return cli_usage(c, _("--hours is 1 to %d"), HUB_TOKEN_HOURS_MAX);
    default:
        return hub_failed(c, result);
    }
}

static enum cli_exit show_token(struct cli *c, struct hub_store *store, const struct hub_token *t, const char *text)
{
    _cleanup_free_ char *pin = NULL;
    int r = hub_setting_get(store, "ca-pin", &pin);
    json_t *answer;

    if (r <= 0)
        return hub_failed(c, r < 0 ? r : -EUCLEAN);
    answer =
        json_pack("{s:I, s:s, s:s, s:s*, s:o, s:s}", "number", (json_int_t)t->number, "token", text, "group", t->group,
                  "serial", *t->serial ? t->serial : NULL, "expires", hub_json_time(t->expires_us), "ca-pin", pin);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_created);
    json_decref(answer);
    return CLI_OK;
}

static enum cli_exit create(struct cli *c, struct hub_store *store, const struct cli_arguments *a, unsigned hours)
{
    const struct hub_actor actor = hub_actor_of(c);
    const struct hub_token_wish wish = {.group = a->values[OPTION_GROUP],
                                        .serial = a->values[OPTION_SERIAL],
                                        .hours = hours,
                                        .approval = a->values[OPTION_APPROVAL] != NULL};
    struct hub_token t = {.expires_us = actor.now_us + (int64_t)hours * 3600 * 1000000};
    char text[HUB_TOKEN_TEXT_SIZE];
    enum cli_exit code;
    int r = hub_token_create(store, &actor, &wish, &t.number, text);

    if (r != HUB_TOKEN_OK)
        return refused(c, r, wish.group);
    (void)snprintf(t.group, sizeof(t.group), "%s", wish.group);
    (void)snprintf(t.serial, sizeof(t.serial), "%s", wish.serial ? wish.serial : "");
    code = show_token(c, store, &t, text);
    OPENSSL_cleanse(text, sizeof(text));
    return code;
}

enum cli_exit hub_cli_token_create(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    uint64_t hours = HOURS_DEFAULT;
    enum cli_exit code;

    if (!a->values[OPTION_GROUP])
        return cli_usage(c, _("--group is needed"));
    if (a->values[OPTION_HOURS] && text_to_u64(a->values[OPTION_HOURS], HUB_TOKEN_HOURS_MAX, &hours) < 0)
        return cli_usage(c, _("--hours is 1 to %d"), HUB_TOKEN_HOURS_MAX);
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    code = create(c, centre.store, a, (unsigned)hours);
    centre_close(&centre);
    return code;
}

/* --- list --- */

static const char *state_of(const struct hub_token *t, int64_t now_us)
{
    return t->used_us ? "used" : t->revoked_us ? "revoked" : now_us >= t->expires_us ? "expired" : "open";
}

static int add(void *context, const struct hub_token *t)
{
    json_t *item =
        json_pack("{s:I, s:s, s:s*, s:s, s:o, s:o, s:o, s:o, s:s*, s:b, s:I}", "number", (json_int_t)t->number, "group",
                  t->group, "serial", *t->serial ? t->serial : NULL, "state", state_of(t, clock_wall_us()), "created",
                  hub_json_time(t->created_us), "expires", hub_json_time(t->expires_us), "used",
                  hub_json_time(t->used_us), "revoked", hub_json_time(t->revoked_us), "terminal",
                  *t->terminal ? t->terminal : NULL, "approval", t->approval, "misused", (json_int_t)t->misused);

    return json_array_append_new(context, item) < 0 ? -ENOMEM : 0;
}

static const char *state_words(const char *state)
{
    return text_equal(state, "used")      ? _("used")
           : text_equal(state, "revoked") ? _("revoked")
           : text_equal(state, "expired") ? _("over")
                                          : _("not used yet");
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(6);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("NUMBER"), _("GROUP"), _("STATE"), _("UNTIL"), _("SERIAL"), _("TERMINAL")});
    json_array_foreach(answer, i, item)
    {
        char number[24], until[VALUE_TIME_SIZE];

        (void)snprintf(number, sizeof(number), "%lld", (long long)value_number(item, "number"));
        table_add(t, (const char *[]){number, value_string(item, "group"), state_words(value_string(item, "state")),
                                      value_time(value_string(item, "expires"), until), value_string(item, "serial"),
                                      value_string(item, "terminal")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit hub_cli_token_list(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    (void)a;
    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_token_each(centre.store, add, items), items, show_list);
    json_decref(items);
    centre_close(&centre);
    return code;
}

/* --- revoke --- */

static void show_revoked(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Token %lld lets nobody in any more."), (long long)value_number(answer, "number"));
    (void)fputc('\n', c->out);
}

static enum cli_exit revoked(struct cli *c, int r, uint64_t number)
{
    json_t *answer;

    if (r == HUB_TOKEN_E_UNKNOWN) {
        cli_error(c, _("there is no open token %llu"), (unsigned long long)number);
        return CLI_NO;
    }
    answer = r < 0 ? NULL : json_pack("{s:I}", "number", (json_int_t)number);
    if (!answer)
        return hub_failed(c, r < 0 ? r : -ENOMEM);
    cli_show(c, answer, show_revoked);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_token_revoke(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    uint64_t number = 0;
    enum cli_exit code;

    if (text_to_u64(a->words[0], INT64_MAX, &number) < 0)
        return cli_usage(c, _("“%s” is no number of a token; “kuraban-hub token list” has them"),
                         cli_safe(c, a->words[0]));
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    code = revoked(c, hub_token_revoke(centre.store, &actor, number), number);
    centre_close(&centre);
    return code;
}

/* kuraban-hub policy: what two people have signed, as it came. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/policy_argument.h"
#include "hub/store/groups.h"
#include "json/whole.h"
#include "policy/findings.h"
#include "policy/policy.h"

/* --- what is told of one --- */

static json_t *strings(const struct policy_strings *list)
{
    json_t *items = json_array();

    for (size_t i = 0; i < list->n; i++)
        whole_add(&items, json_string(list->items[i]));
    return items;
}

static json_t *signers_of(const struct trust_votes *votes)
{
    json_t *items = json_array();

    for (size_t i = 0; i < votes->n; i++)
        if (votes->of[i].kind == TRUST_VOTE_GOOD)
            whole_add(&items, json_string(votes->of[i].key->name));
    return items;
}

static json_t *describe(const struct policy *p, const struct trust_votes *votes)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&p->sha256, hex);
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "sha256", hex, "version", (json_int_t)p->version,
                     "name", p->name, "signers", signers_of(votes), "groups", strings(&p->scope_groups), "terminals",
                     strings(&p->scope_terminals), "from", hub_json_time(p->valid_from_us), "until",
                     hub_json_time(p->valid_until_us));
}

static void print_list(struct cli *c, const char *label, const json_t *items)
{
    const json_t *item;
    size_t i;

    (void)fprintf(c->out, "  %s ", label);
    json_array_foreach(items, i, item)(void)
        fprintf(c->out, "%s%s", i > 0 ? ", " : "", cli_safe(c, json_string_value(item)));
    (void)fputc('\n', c->out);
}

static void show_one(struct cli *c, const json_t *answer)
{
    char time[VALUE_TIME_SIZE];

    (void)fprintf(c->out, _("Policy version %lld: %s"), (long long)value_number(answer, "version"),
                  cli_safe(c, value_string(answer, "name")));
    (void)fprintf(c->out, "\n  SHA-256 %s\n", value_string(answer, "sha256"));
    print_list(c, _("signed by"), json_object_get(answer, "signers"));
    if (json_array_size(json_object_get(answer, "groups")) > 0)
        print_list(c, _("for the groups"), json_object_get(answer, "groups"));
    if (json_array_size(json_object_get(answer, "terminals")) > 0)
        print_list(c, _("for the terminals"), json_object_get(answer, "terminals"));
    if (json_is_string(json_object_get(answer, "from")))
        (void)fprintf(c->out, "  %s %s\n", _("from"), value_time(value_string(answer, "from"), time));
    if (json_is_string(json_object_get(answer, "until")))
        (void)fprintf(c->out, "  %s %s\n", _("until"), value_time(value_string(answer, "until"), time));
    if (json_array_size(json_object_get(answer, "rules")) > 0)
        print_list(c, _("published for"), json_object_get(answer, "rules"));
}

static enum cli_exit show(struct cli *c, json_t *answer)
{
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_one);
    json_decref(answer);
    return CLI_OK;
}

/* --- add --- */

static enum cli_exit keep(struct cli *c, struct hub_store *store, const struct rollout_document *d,
                          const struct trust_votes *votes, const char *path)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct hub_policy p = {.document = d->policy->sha256, .version = d->policy->version};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r;

    if (strlen(d->policy->name) > HUB_POLICY_NAME_MAX)
        return hub_failed(c, -EUCLEAN);
    memcpy(p.name, d->policy->name, strlen(d->policy->name) + 1);
    r = trust_envelope_write(d->envelope, &bytes, &size);
    if (r == TRUST_OK)
        r = hub_policy_add(store, &actor, &p, bytes, size);
    if (r == HUB_POLICY_E_EXISTS) {
        cli_error(c, _("%s: this policy is here already"), cli_safe(c, path));
        return CLI_NO;
    }
    return r == HUB_POLICY_OK ? show(c, describe(d->policy, votes)) : hub_failed(c, r);
}

static enum cli_exit add(struct cli *c, struct hub_store *store, const struct rollout_roots *roots, const char *path)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct policy_findings findings = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *bytes = NULL;
    struct rollout_document d = {0};
    struct trust_votes votes = {0};
    enum cli_exit code;
    size_t size = 0;
    int r = files_read_at(AT_FDCWD, path, TRUST_BUNDLE_MAX, &bytes, &size);

    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-r));
        return CLI_FAILED;
    }
    r = rollout_document_check(roots, bytes, size, clock_wall_us(), &d, &votes, &findings, &complaint);
    if (r == TRUST_OK)
        code = keep(c, store, &d, &votes, path);
    else
        code = hub_refused(c, path, r, &complaint);
    if (r == TRUST_E_UNSIGNED)
        cli_next(c, _("two people sign it with “kuraban policy sign”, and the signed file is added"));
    rollout_document_done(&d);
    policy_findings_done(&findings);
    return code;
}

enum cli_exit hub_cli_policy_add(struct cli *c, const struct cli_arguments *a)
{
    struct rollout_roots roots = {0};
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);

    if (code != CLI_OK)
        return code;
    code = hub_roots(c, centre.store, &roots);
    if (code == CLI_OK)
        code = add(c, centre.store, &roots, a->words[0]);
    rollout_roots_done(&roots);
    centre_close(&centre);
    return code;
}

/* --- list --- */

static int add_item(void *context, const struct hub_policy *p)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&p->document, hex);
    return json_array_append_new(context,
                                 json_pack("{s:s, s:I, s:s, s:o}", "sha256", hex, "version", (json_int_t)p->version,
                                           "name", p->name, "added", hub_json_time(p->added_us))) < 0
               ? -ENOMEM
               : 0;
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(4);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("VERSION"), _("NAME"), "SHA-256", _("ADDED")});
    json_array_foreach(answer, i, item)
    {
        char version[24], sha256[17], when[VALUE_TIME_SIZE];

        (void)snprintf(version, sizeof(version), "%lld", (long long)value_number(item, "version"));
        (void)snprintf(sha256, sizeof(sha256), "%.16s", value_string(item, "sha256"));
        table_add(t, (const char *[]){version, value_string(item, "name"), sha256,
                                      value_time(value_string(item, "added"), when)});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit hub_cli_policy_list(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    (void)a;
    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_policy_each(centre.store, add_item, items), items, show_list);
    json_decref(items);
    centre_close(&centre);
    return code;
}

/* --- show --- */

struct ruled {
    struct hub_store *store;
    const struct digest *policy;
    json_t *groups;
};

static int add_ruled(void *context, const struct hub_group *group)
{
    struct ruled *ruled = context;
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_head head = {0};
    size_t size = 0;
    int r = hub_head_get(ruled->store, group->name, &head, &envelope, &size);

    if (r > 0 && digest_equal(&head.policy, ruled->policy))
        whole_add(&ruled->groups, json_string(group->name));
    return r < 0 ? r : 0;
}

static enum cli_exit show_document(struct cli *c, struct hub_store *store, const struct rollout_document *d)
{
    struct ruled ruled = {.store = store, .policy = &d->policy->sha256, .groups = json_array()};
    struct rollout_roots roots = {0};
    struct trust_votes votes = {0};
    json_t *answer = NULL;
    enum cli_exit code = hub_roots(c, store, &roots);
    int r = code == CLI_OK ? hub_group_each(store, add_ruled, &ruled) : 0;

    if (code == CLI_OK && r >= 0) /* who signed is shown, also where it does not count any more */
        r = trust_envelope_verify(d->envelope, roots.newest, TRUST_ROLE_POLICY, &votes, NULL);
    if (code == CLI_OK && r >= 0)
        answer = describe(d->policy, &votes);
    if (answer) {
        whole_set(&answer, "rules", json_incref(ruled.groups));
        whole_set(&answer, "good", json_boolean(r == TRUST_OK));
        whole_set(&answer, "document", json_stringn((const char *)d->envelope->payload, d->envelope->size));
    }
    json_decref(ruled.groups);
    rollout_roots_done(&roots);
    return code != CLI_OK ? code : r < 0 ? hub_failed(c, r) : show(c, answer);
}

enum cli_exit hub_cli_policy_show(struct cli *c, const struct cli_arguments *a)
{
    struct rollout_document d = {0};
    struct hub_policy p = {0};
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    int r;

    if (code != CLI_OK)
        return code;
    code = hub_policy_find(c, centre.store, a->words[0], &p);
    if (code == CLI_OK) {
        r = rollout_document_read(centre.store, &p.document, &d);
        code = r > 0 ? show_document(c, centre.store, &d) : hub_failed(c, r < 0 ? r : -EUCLEAN);
    }
    rollout_document_done(&d);
    centre_close(&centre);
    return code;
}

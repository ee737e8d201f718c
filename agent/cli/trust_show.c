/* Owns: what people see of signed documents. Must not: decide anything; policy/trust does. */
#include "cli/trust_show.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "json/whole.h"
#include "policy/policy.h"

enum {
    SHORT_ID = 16 /* hex digits */
};

/* --- as JSON --- */

static json_t *json_id(const struct digest *id)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(id, hex);
    return json_string(hex);
}

static json_t *json_time(int64_t wall_us)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_us == 0)
        return json_null();
    clock_format_rfc3339(wall_us, text);
    return json_string(text);
}

static json_t *json_strings(const struct policy_strings *s)
{
    json_t *array = json_array();

    for (size_t i = 0; i < s->n; i++)
        whole_add(&array, json_string(s->items[i]));
    return array;
}

/* The votes of an envelope; nothing is known of any signature when they cannot be counted. */
static struct trust_votes count_votes(const struct trust_envelope *e, const struct trust_root *root,
                                      enum trust_role role)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};

    if (root && trust_envelope_verify(e, root, role, &votes, &complaint) < 0)
        votes = (struct trust_votes){0};
    return votes;
}

static const char *vote_state(const struct trust_votes *a, const struct trust_votes *b, size_t i)
{
    if (a->of[i].kind == TRUST_VOTE_BAD || b->of[i].kind == TRUST_VOTE_BAD)
        return "bad";
    return a->of[i].kind == TRUST_VOTE_GOOD || b->of[i].kind == TRUST_VOTE_GOOD ? "good" : "unknown";
}

json_t *trust_show_signatures(const struct trust_envelope *e, enum trust_role role, const struct trust_root *root,
                              const struct trust_root *previous)
{
    struct trust_votes own = count_votes(e, root, role), old = count_votes(e, previous, role);
    json_t *array = json_array();

    for (size_t i = 0; i < e->n_signatures; i++) {
        const struct trust_key *key = root ? trust_root_find_key(root, &e->signatures[i].key) : NULL;

        if (!key && previous)
            key = trust_root_find_key(previous, &e->signatures[i].key);
        whole_add(&array, json_pack("{s:o, s:s?, s:s}", "key", json_id(&e->signatures[i].key), "name",
                                    key ? key->name : NULL, "state", root ? vote_state(&own, &old, i) : "unchecked"));
    }
    return array;
}

static json_t *json_key(const struct trust_key *key)
{
    return json_pack("{s:o, s:s}", "id", json_id(&key->id), "name", key->name);
}

static bool has_role(const struct trust_root *root, enum trust_role role, size_t key)
{
    for (size_t i = 0; i < root->roles[role].n; i++)
        if (root->roles[role].keys[i] == key)
            return true;
    return false;
}

static json_t *json_keys(const struct trust_root *root)
{
    json_t *array = json_array();

    for (size_t i = 0; i < root->n_keys; i++) {
        json_t *key = json_key(&root->keys[i]), *roles = json_array();

        for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++)
            if (has_role(root, role, i))
                whole_add(&roles, json_string(trust_role_name(role)));
        whole_set(&key, "roles", roles);
        whole_add(&array, key);
    }
    return array;
}

static json_t *json_roles(const struct trust_root *root)
{
    json_t *object = json_object();

    for (enum trust_role role = 0; role < TRUST_ROLE_COUNT_; role++) {
        json_t *keys = json_array();

        for (size_t i = 0; i < root->roles[role].n; i++)
            whole_add(&keys, json_id(&root->keys[root->roles[role].keys[i]].id));
        whole_set(&object, trust_role_name(role),
                  json_pack("{s:I, s:o}", "threshold", (json_int_t)root->roles[role].threshold, "keys", keys));
    }
    return object;
}

static bool voted(const struct trust_votes *votes, size_t n, const struct trust_key *key)
{
    for (size_t i = 0; i < n; i++)
        if (votes->of[i].kind == TRUST_VOTE_GOOD && votes->of[i].key && digest_equal(&votes->of[i].key->id, &key->id))
            return true;
    return false;
}

json_t *trust_show_missing(const struct trust_envelope *e, enum trust_role role, const struct trust_root *root)
{
    struct trust_votes votes = count_votes(e, root, role);
    unsigned threshold = root->roles[role].threshold;
    size_t needed = votes.n_good < threshold ? threshold - votes.n_good : 0;
    json_t *keys = json_array();

    for (size_t i = 0; i < root->roles[role].n; i++) {
        const struct trust_key *key = &root->keys[root->roles[role].keys[i]];

        if (needed > 0 && !voted(&votes, e->n_signatures, key))
            whole_add(&keys, json_key(key));
    }
    return json_pack("{s:s, s:I, s:o}", "role", trust_role_name(role), "needed", (json_int_t)needed, "keys", keys);
}

json_t *trust_show_root(const struct root_file *f, const struct trust_root *previous)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_votes votes = {0};
    struct digest sha256 = {0};
    bool complete = trust_envelope_verify(f->envelope, f->root, TRUST_ROLE_ROOT, &votes, &complaint) == TRUST_OK;

    if (previous)
        complete = complete && trust_root_follows(previous, f->envelope, f->root, &complaint) == TRUST_OK;
    if (digest_bytes(f->envelope->payload, f->envelope->size, &sha256) < 0)
        return NULL;
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:b, s:o, s:s, s:{s:o, s:o}}", "organization",
                     f->root->organization, "version", (json_int_t)f->root->version, "expires",
                     json_time(f->root->expires_us), "sha256", json_id(&sha256), "keys", json_keys(f->root), "roles",
                     json_roles(f->root), "complete", complete, "signatures",
                     trust_show_signatures(f->envelope, TRUST_ROLE_ROOT, f->root, previous), "detail", complaint.text,
                     "missing", "own", trust_show_missing(f->envelope, TRUST_ROLE_ROOT, f->root), "previous",
                     previous ? trust_show_missing(f->envelope, TRUST_ROLE_ROOT, previous) : json_null());
}

static const char *const zones[] = {
    [POLICY_ZONE_MYNUMBER] = "mynumber", [POLICY_ZONE_LGWAN] = "lgwan", [POLICY_ZONE_INTERNET] = "internet"};

json_t *trust_show_policy(const struct policy *p)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:{s:o, s:o}, s:{s:o, s:o}, s:{s:I, s:I, s:I}}", "organization",
                     p->organization, "name", p->name, "version", (json_int_t)p->version, "mode",
                     p->mode == POLICY_MONITOR ? "monitor" : "enforce", "zone", zones[p->zone], "sha256",
                     json_id(&p->sha256), "scope", "groups", json_strings(&p->scope_groups), "terminals",
                     json_strings(&p->scope_terminals), "valid", "from", json_time(p->valid_from_us), "until",
                     json_time(p->valid_until_us), "rules", "usb", (json_int_t)p->n_usb, "media",
                     (json_int_t)p->media.n_rules, "stores", (json_int_t)p->n_stores);
}

/* --- for people --- */

const char *trust_text_time(struct cli *c, int64_t wall_us)
{
    char rfc3339[CLOCK_RFC3339_SIZE], text[VALUE_TIME_SIZE];

    if (wall_us == 0)
        return "-";
    clock_format_rfc3339(wall_us, rfc3339);
    return cli_safe(c, value_time(rfc3339, text));
}

const char *trust_text_id(struct cli *c, const struct digest *id)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(id, hex);
    return cli_safe(c, hex);
}

const char *trust_text_short_id(struct cli *c, const char *id)
{
    char text[SHORT_ID + 1];

    (void)snprintf(text, sizeof(text), "%s", id);
    return cli_safe(c, text);
}

static const char *state_word(const char *state)
{
    if (text_equal(state, "good"))
        return _("good");
    if (text_equal(state, "unchecked"))
        return _("not checked (--root)");
    return text_equal(state, "bad") ? _("DOES NOT FIT the document") : _("not a key of this role");
}

void trust_text_signatures(struct cli *c, const json_t *signatures)
{
    struct table *t = table_new(3);
    const json_t *s;
    size_t i;

    (void)fprintf(c->out, "%s\n", json_array_size(signatures) > 0 ? _("Signed by:") : _("Signed by nobody yet."));
    json_array_foreach(signatures, i, s)
        table_add(t, (const char *[]){trust_text_short_id(c, value_string(s, "key")), value_string(s, "name"),
                                      state_word(value_string(s, "state"))});
    table_print(t, c->out, 2);
    (void)table_free(t);
}

static const char *role_word(const char *role)
{
    if (text_equal(role, "root"))
        return _("root (decides about keys)");
    return text_equal(role, "policy") ? _("policy (drafts and approves)") : _("head (selects a policy)");
}

static void text_roles(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(2);
    const char *name;
    json_t *role;

    json_object_foreach(json_object_get(answer, "roles"), name, role)
    {
        char count[64];

        (void)snprintf(count, sizeof(count), _("%" PRIi64 " of %zu must sign"), value_number(role, "threshold"),
                       json_array_size(json_object_get(role, "keys")));
        table_add(t, (const char *[]){role_word(name), count});
    }
    table_print(t, c->out, 2);
    (void)table_free(t);
}

static void text_keys(struct cli *c, const json_t *answer)
{
    const json_t *key, *role;
    size_t i, j;

    json_array_foreach(json_object_get(answer, "keys"), i, key)
    {
        (void)fprintf(c->out, "  %s ", cli_safe(c, value_string(key, "name")));
        json_array_foreach(json_object_get(key, "roles"), j, role)(void)
            fprintf(c->out, "%s%s", j > 0 ? ", " : "(", json_string_value(role));
        (void)fprintf(c->out, "%s\n    %s\n", j > 0 ? ")" : "", value_string(key, "id"));
    }
}

void trust_text_missing(struct cli *c, const json_t *missing, bool previous)
{
    const char *role = value_string(missing, "role");
    int64_t needed = value_number(missing, "needed");
    const json_t *key;
    size_t i;

    if (needed == 0)
        return;
    (void)fprintf(c->out,
                  text_equal(role, "policy") ? _("Still needed: %" PRIi64 " of these policy keys")
                  : text_equal(role, "head") ? _("Still needed: %" PRIi64 " of these head keys")
                  : previous                 ? _("Still needed: %" PRIi64 " of these root keys of the previous version")
                                             : _("Still needed: %" PRIi64 " of these root keys"),
                  needed);
    (void)fputc('\n', c->out);
    json_array_foreach(json_object_get(missing, "keys"), i, key)(void) fprintf(
        c->out, "  %s  %s\n", trust_text_short_id(c, value_string(key, "id")), cli_safe(c, value_string(key, "name")));
}

static bool is_missing(const json_t *missing, const char *key)
{
    return value_number(json_object_get(missing, key), "needed") > 0;
}

void trust_text_root(struct cli *c, const json_t *answer)
{
    const json_t *missing = json_object_get(answer, "missing");
    char expires[VALUE_TIME_SIZE];

    (void)fprintf(c->out, _("Root document of %s, version %" PRIi64 ", good until %s"),
                  cli_safe(c, value_string(answer, "organization")), value_number(answer, "version"),
                  value_time(value_string(answer, "expires"), expires));
    (void)fprintf(c->out, "\nSHA-256 %s\n\n", value_string(answer, "sha256"));
    text_roles(c, answer);
    (void)fprintf(c->out, "\n%s\n", _("Keys:"));
    text_keys(c, answer);
    (void)fputc('\n', c->out);
    trust_text_signatures(c, json_object_get(answer, "signatures"));
    trust_text_missing(c, json_object_get(missing, "own"), false);
    trust_text_missing(c, json_object_get(missing, "previous"), true);
    if (value_bool(answer, "complete"))
        (void)fprintf(c->out, "%s\n", _("Nobody has to sign any more."));
    else if (!is_missing(missing, "own") && !is_missing(missing, "previous") && *value_string(answer, "detail"))
        (void)fprintf(c->out, "%s\n", value_string(answer, "detail"));
}

static void add(struct table *t, const char *title, const char *text)
{
    table_add(t, (const char *[]){title, text});
}

/* "kazei, shimin", or a word for everybody. */
static const char *join(struct cli *c, const json_t *strings)
{
    const char *text = "";
    const json_t *s;
    size_t i;

    json_array_foreach(strings, i, s)
    {
        char *joined = NULL;

        if (asprintf(&joined, "%s%s%s", text, i > 0 ? ", " : "", cli_safe(c, json_string_value(s))) < 0)
            return "?";
        text = cli_safe(c, joined);
        free(joined);
    }
    return text;
}

static const char *scope_text(struct cli *c, const json_t *scope)
{
    const json_t *groups = json_object_get(scope, "groups"), *terminals = json_object_get(scope, "terminals");
    char text[512];

    if (json_array_size(groups) == 0 && json_array_size(terminals) == 0)
        return _("every terminal of the organization");
    if (json_array_size(terminals) == 0)
        (void)snprintf(text, sizeof(text), _("groups %s"), join(c, groups));
    else if (json_array_size(groups) == 0)
        (void)snprintf(text, sizeof(text), _("terminals %s"), join(c, terminals));
    else
        (void)snprintf(text, sizeof(text), _("groups %s and terminals %s"), join(c, groups), join(c, terminals));
    return cli_safe(c, text);
}

void trust_text_policy(struct cli *c, const json_t *policy)
{
    const json_t *valid = json_object_get(policy, "valid"), *rules = json_object_get(policy, "rules");
    char from[VALUE_TIME_SIZE], until[VALUE_TIME_SIZE], text[256];
    struct table *t = table_new(2);

    add(t, _("Organization"), value_string(policy, "organization"));
    (void)snprintf(text, sizeof(text), _("%s, version %" PRIi64), value_string(policy, "name"),
                   value_number(policy, "version"));
    add(t, _("Policy"), text);
    (void)snprintf(text, sizeof(text), _("from %s until %s"), value_time(value_string(valid, "from"), from),
                   value_time(value_string(valid, "until"), until));
    add(t, _("Valid"), text);
    add(t, _("For"), scope_text(c, json_object_get(policy, "scope")));
    add(t, _("Zone"), value_string(policy, "zone"));
    add(t, _("Mode"),
        text_equal(value_string(policy, "mode"), "monitor") ? _("monitor: refuses nothing") : _("enforce"));
    (void)snprintf(text, sizeof(text), _("%" PRIi64 " USB rules, %" PRIi64 " media rules, %" PRIi64 " stores"),
                   value_number(rules, "usb"), value_number(rules, "media"), value_number(rules, "stores"));
    add(t, _("Rules"), text);
    add(t, "SHA-256", value_string(policy, "sha256"));
    table_print(t, c->out, 0);
    (void)table_free(t);
}

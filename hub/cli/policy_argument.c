/* Owns: how persons name a policy, and the words for what is wrong with one. Must not: judge it. */
#include "hub/cli/policy_argument.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/i18n.h"

enum {
    PREFIX_MIN = 8, /* digits of a SHA-256 */
};

struct search {
    const char *prefix; /* NULL: by version */
    uint64_t version;
    struct hub_policy found;
    unsigned n;
};

static int look(void *context, const struct hub_policy *p)
{
    struct search *s = context;
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&p->document, hex);
    if (s->prefix ? !text_starts(hex, s->prefix) : p->version != s->version)
        return 0;
    s->found = *p;
    s->n++;
    return 0;
}

enum cli_exit hub_policy_find(struct cli *c, struct hub_store *store, const char *text, struct hub_policy *ret)
{
    struct search s = {.prefix = text};
    int r;

    if (strlen(text) < PREFIX_MIN && text_to_u64(text, INT64_MAX, &s.version) == 0)
        s.prefix = NULL;
    else if (strlen(text) < PREFIX_MIN)
        return cli_usage(c, _("“%s” is neither a version nor %d or more digits of a SHA-256"), cli_safe(c, text),
                         PREFIX_MIN);
    r = hub_policy_each(store, look, &s);
    if (r < 0)
        return hub_failed(c, r);
    if (s.n == 1) {
        *ret = s.found;
        return CLI_OK;
    }
    if (s.n == 0)
        cli_error(c, _("there is no policy %s here; “kuraban-hub policy list” has them"), cli_safe(c, text));
    else
        cli_error(c, _("%u policies are called %s; name one by its SHA-256"), s.n, cli_safe(c, text));
    return CLI_NO;
}

enum cli_exit hub_roots(struct cli *c, struct hub_store *store, struct rollout_roots *ret)
{
    int r = rollout_roots_read(store, ret);

    if (r < 0)
        return hub_failed(c, r);
    if (ret->n > 0)
        return CLI_OK;
    cli_error(c, "%s", _("no root document is here; “kuraban-hub root add” takes one"));
    return CLI_FAILED;
}

enum cli_exit hub_refused(struct cli *c, const char *what, int result, const struct trust_complaint *complaint)
{
    if (result < 0)
        return hub_failed(c, result);
    cli_error(c, "%s: %s%s%s", cli_safe(c, what), _(trust_result_text((enum trust_result)result)),
              *complaint->text ? ": " : "", cli_safe(c, complaint->text));
    return CLI_NO;
}

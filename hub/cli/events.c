/* kuraban-hub events: the terminals' records, of one or all, for people or other programs. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "audit/record.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_filter.h"
#include "cli/i18n.h"
#include "cli/record_line.h"
#include "hub/cli/hub.h"
#include "hub/store/events.h"
#include "hub/store/terminals.h"
#include "json/whole.h"

enum {
    OPTION_TERMINAL = FILTER_COUNT,
    OPTION_LINES,
};

const struct cli_option hub_events_options[] = {
    FILTER_OPTIONS,
    [OPTION_TERMINAL] = {"terminal", "TERMINAL", N_("of this one, by name or id")},
    [OPTION_LINES] = {"lines", NULL, N_("the lines of the journal exactly as they stand")},
    {0},
};

struct showing {
    struct cli *c;
    struct hub_store *store;
    struct pack *pack;
    struct journal_filter filter;
    json_t *names; /* by id */
    const char *wanted, *terminal;
    char id[HUB_TERMINAL_ID_MAX + 1];
    bool lines, counting;
    uint64_t matched, skip;
};

/* --- which --- */

static int add_name(void *context, const struct hub_terminal *t, const char *const *groups)
{
    struct showing *s = context;

    (void)groups;
    if (s->wanted && (text_equal(s->wanted, t->name) || text_equal(s->wanted, t->id)))
        s->terminal = strcpy(s->id, t->id);
    return json_object_set_new(s->names, t->id, json_string(t->name)) < 0 ? -ENOMEM : 0;
}

/* A terminal that was removed has left its records: by its id they are found. */
static enum cli_exit find_terminal(struct showing *s)
{
    struct hub_chain chain;
    int r = hub_terminal_each(s->store, add_name, s);

    if (r >= 0 && s->wanted && !s->terminal) {
        r = hub_chain_get(s->store, s->wanted, &chain);
        if (r > 0)
            s->terminal = s->wanted;
    }
    if (r < 0)
        return hub_failed(s->c, r);
    if (!s->wanted || s->terminal)
        return CLI_OK;
    cli_error(s->c, _("there is no terminal %s"), cli_safe(s->c, s->wanted));
    return CLI_NO;
}

static const char *verdict_term(enum journal_read_verdict verdict)
{
    static const char *const terms[] = {[JOURNAL_READ_ANY] = NULL,
                                        [JOURNAL_READ_ALLOW] = "allow",
                                        [JOURNAL_READ_DENY] = "deny",
                                        [JOURNAL_READ_WOULD_REFUSE] = "would-refuse"};

    return terms[verdict];
}

/* --- showing --- */

static const char *name_of(const struct showing *s, const char *terminal)
{
    const char *name = json_string_value(json_object_get(s->names, terminal));

    return name ? name : terminal;
}

/* As ECS has it: on which host it happened, before what the record says. It is an object with members: "{" and more. */
static void show_json(struct showing *s, const char *terminal, const char *line, size_t size)
{
    json_t *host = json_pack("{s:s, s:s}", "id", terminal, "name", name_of(s, terminal));
    char *text = NULL;

    if (whole_text(host, JSON_COMPACT, &text) == 0)
        (void)fprintf(s->c->out, "{\"host\":%s,%.*s\n", text, (int)size - 1, line + 1);
    free(text);
    json_decref(host);
}

static void show_line(struct showing *s, const char *terminal, json_t *record, const char *line, size_t size)
{
    if (s->lines)
        (void)fprintf(s->c->out, "%.*s\n", (int)size, line);
    else if (s->c->json)
        show_json(s, terminal, line, size);
    else {
        (void)fprintf(s->c->out, "%s  ", name_of(s, terminal));
        record_line_show(s->c, record);
    }
}

static int each_line(struct showing *s, const struct hub_batch *b, const char *line, size_t size)
{
    json_t *record = record_parse(line, size);

    if (!record)
        return -EUCLEAN;
    if (journal_filter_matches(&s->filter, record)) {
        s->matched++;
        if (!s->counting && s->matched > s->skip)
            show_line(s, b->terminal, record, line, size);
    }
    json_decref(record);
    return ferror(s->c->out) ? -EIO : 0;
}

static int each_batch(void *context, const struct hub_batch *b)
{
    const char *line = b->lines, *end = b->lines + b->size;
    int r = 0;

    while (r == 0 && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        if (!newline)
            return -EUCLEAN;
        r = each_line(context, b, line, (size_t)(newline - line));
        line = newline + 1;
    }
    return r;
}

static int walk(struct showing *s, bool counting)
{
    struct hub_event_query q = {.terminal = s->terminal, .since_us = s->filter.from_us, .until_us = s->filter.until_us};
    char uid[16];

    (void)snprintf(uid, sizeof(uid), "%u", s->filter.uid);
    q.terms[HUB_TERM_USER] = s->filter.has_uid ? uid : NULL;
    q.terms[HUB_TERM_DEVICE] = s->filter.device;
    q.terms[HUB_TERM_RULE] = s->filter.rule;
    q.terms[HUB_TERM_VERDICT] = verdict_term(s->filter.verdict);
    q.terms[HUB_TERM_ACTION] = s->filter.action == AUDIT_NONE ? NULL : audit_action_name(s->filter.action);
    s->counting = counting;
    s->matched = 0;
    return hub_batch_each(s->store, s->pack, &q, each_batch, s);
}

static enum cli_exit show(struct showing *s)
{
    enum cli_exit code = find_terminal(s);
    int r = 0;

    if (code != CLI_OK)
        return code;
    if (s->filter.tail > 0) {
        r = walk(s, true);
        s->skip = s->matched > s->filter.tail ? s->matched - s->filter.tail : 0;
    }
    if (r >= 0)
        r = walk(s, false);
    return r < 0 ? hub_failed(s->c, r) : CLI_OK;
}

enum cli_exit hub_cli_events(struct cli *c, const struct cli_arguments *a)
{
    struct showing s = {.c = c, .wanted = a->values[OPTION_TERMINAL], .lines = a->values[OPTION_LINES] != NULL};
    struct centre centre;
    enum cli_exit code = audit_filter(c, a, &s.filter);

    if (code == CLI_OK)
        code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    s.store = centre.store;
    s.names = json_object();
    s.pack = pack_new();
    code = s.names && s.pack ? show(&s) : hub_failed(c, -ENOMEM);
    json_decref(s.names);
    s.pack = pack_free(s.pack);
    centre_close(&centre);
    return code;
}

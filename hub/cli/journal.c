/* kuraban-hub journal: what administrators did, verified from the first record on. */
#include <errno.h>
#include <jansson.h>

#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/journal.h"

static int add(void *context, const struct hub_record *record)
{
    char hash[DIGEST_HEX_SIZE];
    json_t *item;

    digest_to_hex(&record->hash, hash);
    item = json_pack("{s:I, s:o, s:s, s:s, s:s, s:o*, s:s}", "seq", (json_int_t)record->seq, "time",
                     hub_json_time(record->at_us), "who", record->who, "what", record->what, "object", record->object,
                     "details", *record->details ? json_loads(record->details, 0, NULL) : NULL, "hash", hash);
    return json_array_append_new(context, item) < 0 ? -ENOMEM : 0;
}

static const char *state_of(int result)
{
    return result == HUB_JOURNAL_WHOLE ? "whole" : result == HUB_JOURNAL_SHORT ? "short" : "broken";
}

static void show_text(struct cli *c, const json_t *answer)
{
    const json_t *records = json_object_get(answer, "records"), *item;
    struct table *t = table_new(5);
    size_t i;

    table_add(t, (const char *[]){_("NUMBER"), _("TIME"), _("WHO"), _("WHAT"), _("OBJECT")});
    json_array_foreach(records, i, item)
    {
        char number[24], when[VALUE_TIME_SIZE];

        (void)snprintf(number, sizeof(number), "%lld", (long long)value_number(item, "seq"));
        table_add(t, (const char *[]){number, value_time(value_string(item, "time"), when), value_string(item, "who"),
                                      value_string(item, "what"), value_string(item, "object")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
    (void)fputc('\n', c->out);
    (void)fprintf(c->out, _("Up to record %lld this is what was written. Its hash, to be kept elsewhere: %s"),
                  (long long)value_number(answer, "seq"), value_string(answer, "head"));
    (void)fputc('\n', c->out);
}

static enum cli_exit show(struct cli *c, int result, uint64_t seq, const struct digest *head, json_t *records)
{
    char hash[DIGEST_HEX_SIZE];
    json_t *answer;

    digest_to_hex(head, hash);
    answer = json_pack("{s:s, s:I, s:s, s:O}", "state", state_of(result), "seq", (json_int_t)seq, "head", hash,
                       "records", records);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_text);
    json_decref(answer);
    if (result == HUB_JOURNAL_WHOLE)
        return CLI_OK;
    if (result == HUB_JOURNAL_SHORT)
        cli_error(c, _("records behind %llu are missing"), (unsigned long long)seq);
    else
        cli_error(c, _("the record behind %llu is not what was written"), (unsigned long long)seq);
    return CLI_NO;
}

enum cli_exit hub_cli_journal(struct cli *c, const struct cli_arguments *a)
{
    struct digest head = {0};
    struct centre centre;
    uint64_t seq = 0;
    enum cli_exit code = hub_open(c, &centre);
    json_t *records;
    int r;

    (void)a;
    if (code != CLI_OK)
        return code;
    records = json_array();
    r = hub_journal_walk(centre.store, add, records, &seq, &head);
    code = r < 0 ? hub_failed(c, r) : show(c, r, seq, &head, records);
    json_decref(records);
    centre_close(&centre);
    return code;
}

/* kuraban audit show: records for people, one line each; with --json the records as they stand, one per line. */
#include <errno.h>
#include <jansson.h>

#include "cli/audit_filter.h"
#include "cli/audit_read.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/record_line.h"

const struct cli_option cli_audit_show_options[] = {
    FILTER_OPTIONS,
    [FILTER_COUNT] = {"directory", "DIR", N_("this journal instead of the terminal's own")},
    {0},
};

static int show_line(void *context, json_t *record, const char *line, size_t size)
{
    struct cli *c = context;

    (void)line;
    (void)size;
    record_line_show(c, record);
    return ferror(c->out) ? -EIO : 0;
}

static int show_json(void *context, json_t *record, const char *line, size_t size)
{
    struct cli *c = context;

    (void)record;
    (void)fwrite(line, 1, size, c->out);
    (void)fputc('\n', c->out);
    return ferror(c->out) ? -EIO : 0;
}

enum cli_exit cli_audit_show(struct cli *c, const struct cli_arguments *a)
{
    return audit_read(c, a, a->values[FILTER_COUNT], c->json ? show_json : show_line, c);
}

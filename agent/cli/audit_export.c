/*
 * kuraban audit export: records for other programs. NDJSON: the lines as they stand, so that a copy can be verified against
 * the chain. CSV: RFC 4180 with a header line. A cell a spreadsheet would run as a formula gets a quote in front: device names
 * are an attacker's to choose.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/export.h"
#include "audit/record.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/audit_filter.h"
#include "cli/audit_read.h"
#include "cli/cli.h"
#include "cli/i18n.h"

enum {
    OPTION_DIRECTORY = FILTER_COUNT,
    OPTION_FORMAT,
    OPTION_OUTPUT
};

const struct cli_option cli_audit_export_options[] = {
    FILTER_OPTIONS,
    [OPTION_DIRECTORY] = {"directory", "DIR", N_("this journal instead of the terminal's own")},
    [OPTION_FORMAT] = {"format", "FORMAT", N_("ndjson or csv")},
    [OPTION_OUTPUT] = {"output", "FILE", N_("a new file instead of standard output")},
    {0},
};

/* Header of the column and where its value is. */
static const char *const columns[][2] = {
    {"sequence", "kuraban.seq"},
    {"time", "@timestamp"},
    {"action", "event.action"},
    {"verdict", "kuraban.verdict"},
    {"would_refuse", "kuraban.would_refuse"},
    {"reason", "event.reason"},
    {"rule", "rule.id"},
    {"policy", "kuraban.policy.name"},
    {"policy_version", "kuraban.policy.version"},
    {"user", "user.id"},
    {"login_user", "kuraban.login_uid"},
    {"program", "process.executable"},
    {"path", "file.path"},
    {"store", "kuraban.store"},
    {"write", "kuraban.write"},
    {"execute", "kuraban.execute"},
    {"device", "device.id"},
    {"bus", "device.bus"},
    {"vendor", "device.vendor_id"},
    {"product", "device.product_id"},
    {"serial", "device.serial_number"},
    {"device_name", "device.name"},
    {"node", "device.node"},
    {"count", "kuraban.count"},
    {"message", "message"},
};

static void put_value(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        (void)export_csv_field(out, json_string_value(value)); /* errors are looked for at the end of the record */
    else if (json_is_integer(value))
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        (void)fputs(json_is_true(value) ? "true" : "false", out);
}

static int write_csv(void *context, json_t *record, const char *line, size_t size)
{
    FILE *out = context;

    (void)line;
    (void)size;
    for (size_t i = 0; i < ELEMENTS(columns); i++) {
        if (i > 0)
            (void)fputc(',', out);
        put_value(out, record_member(record, columns[i][1]));
    }
    (void)fputs("\r\n", out);
    return ferror(out) ? -EIO : 0;
}

static int write_ndjson(void *context, json_t *record, const char *line, size_t size)
{
    FILE *out = context;

    (void)record;
    (void)fwrite(line, 1, size, out);
    (void)fputc('\n', out);
    return ferror(out) ? -EIO : 0;
}

static void write_header(FILE *out)
{
    for (size_t i = 0; i < ELEMENTS(columns); i++)
        (void)fprintf(out, "%s%s", i > 0 ? "," : "", columns[i][0]);
    (void)fputs("\r\n", out);
}

static enum cli_exit write_records(struct cli *c, const struct cli_arguments *a, FILE *out, bool csv)
{
    if (csv)
        write_header(out);
    return audit_read(c, a, a->values[OPTION_DIRECTORY], csv ? write_csv : write_ndjson, out);
}

/* The record tells who did what when: readable by its owner only, never over an existing file. */
static enum cli_exit write_file(struct cli *c, const struct cli_arguments *a, const char *path, bool csv)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    enum cli_exit code;
    bool written;

    if (!out) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(errno));
        return CLI_FAILED;
    }
    code = write_records(c, a, out, csv);
    written = fflush(out) == 0 && !ferror(out) && fsync(fd) == 0;
    fd = -1;
    written = fclose(out) == 0 && written;
    if (code == CLI_OK && !written) {
        cli_error(c, _("%s could not be written completely"), cli_safe(c, path));
        code = CLI_FAILED;
    }
    return code;
}

enum cli_exit cli_audit_export(struct cli *c, const struct cli_arguments *a)
{
    const char *format = a->values[OPTION_FORMAT], *path = a->values[OPTION_OUTPUT];
    bool csv = text_equal(format, "csv");

    if (!csv && !text_equal(format, "ndjson"))
        return cli_usage(c, _("--format is needed: ndjson or csv"));
    return path ? write_file(c, a, path, csv) : write_records(c, a, c->out, csv);
}

/*
 * Owns: the columns and the quoting of CSV.
 * Must not: leave out or translate anything silently: NDJSON is the whole record, CSV the columns below.
 */
#include "audit/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "audit/record.h"
#include "base/cleanup.h"
#include "base/text.h"

struct column {
    const char *name, *path;
};

static const struct column columns[] = {
    {"timestamp", "@timestamp"},
    {"seq", "kuraban.seq"},
    {"kind", "event.kind"},
    {"action", "event.action"},
    {"outcome", "event.outcome"},
    {"verdict", "kuraban.verdict"},
    {"would_refuse", "kuraban.would_refuse"},
    {"reason", "event.reason"},
    {"rule", "rule.id"},
    {"policy", "kuraban.policy.name"},
    {"policy_version", "kuraban.policy.version"},
    {"user_id", "user.id"},
    {"login_uid", "kuraban.login_uid"},
    {"session", "kuraban.session"},
    {"pid", "process.pid"},
    {"program", "process.executable"},
    {"path", "file.path"},
    {"store", "kuraban.store"},
    {"write", "kuraban.write"},
    {"execute", "kuraban.execute"},
    {"device_id", "device.id"},
    {"device_bus", "device.bus"},
    {"device_vendor", "device.vendor_id"},
    {"device_product", "device.product_id"},
    {"device_serial", "device.serial_number"},
    {"device_name", "device.name"},
    {"device_node", "device.node"},
    {"device_port", "device.port"},
    {"count", "kuraban.count"},
    {"message", "message"},
};

/* What Excel and LibreOffice take for a formula, the full-width forms of Japanese input included. */
static bool starts_formula(const char *text)
{
    static const char *const wide[] = {"＝", "＋", "－", "＠"};

    if (text[0] != 0 && strchr("=+-@\t\r", text[0]))
        return true;
    for (size_t i = 0; i < ELEMENTS(wide); i++)
        if (text_starts(text, wide[i]))
            return true;
    return false;
}

/* Bytes at text that are a control character: of ASCII, but for white space, or of Latin-1 (a terminal takes U+009B for ESC [). */
static size_t control_length(const char *text)
{
    unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;

    if (first == 0xc2 && second >= 0x80 && second < 0xa0)
        return 2;
    return (first < 0x20 && !strchr("\t\r\n", first)) || first == 0x7f;
}

int export_csv_field(FILE *out, const char *text)
{
    if (fputc('"', out) == EOF)
        return -EIO;
    if (text && starts_formula(text) && fputc('\'', out) == EOF)
        return -EIO;
    for (; text && *text; text++) {
        size_t control = control_length(text);

        if (control > 0) {
            if (fputs("�", out) == EOF)
                return -EIO;
            text += control - 1;
        } else if ((*text == '"' && fputc('"', out) == EOF) || fputc(*text, out) == EOF) {
            return -EIO;
        }
    }
    return fputc('"', out) == EOF ? -EIO : 0;
}

static int put_separator(FILE *out, size_t i)
{
    const char *text = i + 1 < ELEMENTS(columns) ? "," : "\r\n";

    return fputs(text, out) == EOF ? -EIO : 0;
}

int export_csv_header(FILE *out)
{
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(columns) && r >= 0; i++) {
        r = export_csv_field(out, columns[i].name);
        if (r >= 0)
            r = put_separator(out, i);
    }
    return r;
}

static int put_value(FILE *out, json_t *value)
{
    char number[24];

    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        /* A number is a number: "-1" is no formula, and nothing foreign gets here. */
        return fprintf(out, "\"%s\"", number) < 0 ? -EIO : 0;
    }
    if (json_is_boolean(value))
        return export_csv_field(out, json_is_true(value) ? "true" : "false");
    return export_csv_field(out, json_string_value(value));
}

int export_csv_record(FILE *out, json_t *record)
{
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(columns) && r >= 0; i++) {
        r = put_value(out, record_member(record, columns[i].path));
        if (r >= 0)
            r = put_separator(out, i);
    }
    return r;
}

int export_ndjson_line(FILE *out, const char *line, size_t size)
{
    return fwrite(line, 1, size, out) == size && fputc('\n', out) != EOF ? 0 : -EIO;
}

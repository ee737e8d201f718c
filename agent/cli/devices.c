/* kuraban devices: what is plugged in and mounted, and what was decided. Anybody may ask. */
#include <jansson.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/grant_show.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "json/whole.h"

enum {
    OPTION_WATCH
};

const struct cli_option cli_devices_options[] = {
    [OPTION_WATCH] = {"watch", NULL, N_("show the list again after each change, until interrupted")},
    {0},
};

/* "0781:5583" for USB, where a medium or mount was seen otherwise. */
static const char *describe(const json_t *device, char *buffer, size_t size)
{
    const char *vendor = value_string(device, "vendor"), *product = value_string(device, "product");

    if (*vendor || *product)
        (void)snprintf(buffer, size, "%s:%s", vendor, product);
    else if (*value_string(device, "node"))
        (void)snprintf(buffer, size, "%s", value_string(device, "node"));
    else
        (void)snprintf(buffer, size, "%s", value_string(device, "source"));
    return buffer;
}

/* A USB id is a long hash and the port; the port alone names the device as long as it is plugged in. */
static const char *short_id(const char *id)
{
    const char *at = strrchr(id, '@');

    return at ? at + 1 : id;
}

/* A device that opens by a code says so, and by whose it is open. */
static const char *verdict_words(const json_t *device, char *buffer, size_t size)
{
    const json_t *grant = json_object_get(device, "grant");
    bool denied = strcmp(value_string(device, "verdict"), "deny") == 0;
    char person[64], hour[16];

    if (json_is_object(grant) && !denied) {
        (void)snprintf(buffer, size, _("unlocked until %s by %s"),
                       value_hour(value_string(grant, "until"), hour, sizeof(hour)),
                       grant_person(value_number(grant, "uid"), person, sizeof(person)));
        return buffer;
    }
    if (denied && strcmp(value_string(device, "reason"), "locked") == 0)
        return _("locked");
    if (value_bool(device, "would_refuse"))
        return _("would be refused");
    return value_verdict(value_string(device, "verdict"));
}

static const char *name_of(const json_t *device)
{
    const char *name = value_string(device, "name");

    return *name ? name : value_string(device, "label");
}

static void text_devices(struct cli *c, const json_t *devices)
{
    struct table *t = table_new(8);
    const json_t *device;
    size_t i;

    if (json_array_size(devices) == 0) {
        (void)fprintf(c->out, "%s\n", _("No devices or media."));
        (void)table_free(t);
        return;
    }
    table_add(t, (const char *[]){_("ID"), _("Bus"), _("Device"), _("Serial"), _("Name"), _("Verdict"), _("Granted"),
                                  _("Rule")});
    json_array_foreach(devices, i, device)
    {
        char what[256], verdict[192];

        table_add(t, (const char *[]){short_id(value_string(device, "id")), value_string(device, "bus"),
                                      describe(device, what, sizeof(what)), value_string(device, "serial"),
                                      name_of(device), verdict_words(device, verdict, sizeof(verdict)),
                                      value_granted(value_string(device, "granted")), value_string(device, "rule")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

/* One array per line, so that a reader of the stream knows where each ends. */
static void show_watched(struct cli *c, const json_t *devices)
{
    int r = 0;

    if (c->json)
        r = whole_print(devices, JSON_COMPACT, c->out);
    else
        text_devices(c, devices);
    if (r < 0)
        cli_lost(c, r);
    (void)fputc('\n', c->out);
    (void)fflush(c->out);
}

static enum cli_exit watch(struct cli *c)
{
    struct ctl_client client = {.socket = -1};
    json_t *answer = NULL;
    enum cli_exit code = ask_open(c, &client);

    if (code == CLI_OK)
        code = ask_on(c, &client, CTL_WATCH, NULL, &answer);
    while (code == CLI_OK) {
        show_watched(c, answer);
        json_decref(answer);
        answer = NULL;
        if (c->lost || ferror(c->out))
            break;
        code = ask_next(c, &client, &answer);
    }
    ctl_client_close(&client);
    return code;
}

enum cli_exit cli_devices(struct cli *c, const struct cli_arguments *a)
{
    json_t *answer = NULL;
    enum cli_exit code;

    if (a->values[OPTION_WATCH])
        return watch(c);
    code = ask(c, CTL_DEVICES, NULL, &answer);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_devices);
    json_decref(answer);
    return CLI_OK;
}

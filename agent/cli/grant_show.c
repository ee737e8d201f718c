/* What is unlocked, by whom and how long still: unlock --status. Anybody may ask; what it was for is told to the person and to root. */
#include "cli/grant_show.h"

#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "json/whole.h"

const char *grant_person(int64_t uid, char *buffer, size_t size)
{
    const struct passwd *entry = getpwuid((uid_t)uid);

    if (entry)
        (void)snprintf(buffer, size, "%s", entry->pw_name);
    else
        (void)snprintf(buffer, size, "%" PRIi64, uid);
    return buffer;
}

const char *grant_device(const json_t *grant)
{
    return value_place(value_string(grant, "device"));
}

static const char *left_words(const json_t *grant, char *buffer, size_t size)
{
    int64_t seconds = value_number(grant, "seconds");

    if (value_bool(grant, "ends_soon"))
        (void)snprintf(buffer, size, _("%" PRIi64 ":%02" PRIi64 " (ends soon)"), seconds / 60, seconds % 60);
    else
        (void)snprintf(buffer, size, "%" PRIi64 ":%02" PRIi64, seconds / 60, seconds % 60);
    return buffer;
}

void grant_text(struct cli *c, const json_t *grants)
{
    struct table *t = table_new(6);
    const json_t *grant;
    size_t i;

    if (json_array_size(grants) == 0) {
        (void)fprintf(c->out, "%s\n", _("Nothing is unlocked."));
        (void)table_free(t);
        return;
    }
    table_add(t, (const char *[]){_("Device"), _("Unlocked by"), _("Until"), _("Time left"), _("Rule"), _("Reason")});
    json_array_foreach(grants, i, grant)
    {
        char person[64], hour[16], left[64];

        table_add(t, (const char *[]){grant_device(grant),
                                      grant_person(value_number(grant, "uid"), person, sizeof(person)),
                                      value_hour(value_string(grant, "until"), hour, sizeof(hour)),
                                      left_words(grant, left, sizeof(left)), value_string(grant, "rule"),
                                      value_string(grant, "reason")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

/* On a terminal the table stays in its place; elsewhere one line or table each second. */
static void show_again(struct cli *c, const json_t *grants, size_t *lines)
{
    bool terminal = !c->json && isatty(fileno(c->out)) == 1;
    int r = 0;

    if (terminal && *lines > 0)
        (void)fprintf(c->out, "\033[%zuA\033[J", *lines);
    *lines = json_array_size(grants) + 1;
    if (c->json) {
        r = whole_print(grants, JSON_COMPACT, c->out);
        if (r < 0)
            cli_lost(c, r);
        (void)fputc('\n', c->out);
    } else {
        grant_text(c, grants);
    }
    (void)fflush(c->out);
}

static bool any_ends_soon(const json_t *grants)
{
    const json_t *grant;
    size_t i;

    json_array_foreach(grants, i, grant)
    {
        if (value_bool(grant, "ends_soon"))
            return true;
    }
    return false;
}

static enum cli_exit watch(struct cli *c, struct ctl_client *client)
{
    const struct timespec second = {.tv_sec = 1};
    bool rung = false;
    size_t lines = 0, n;

    do {
        json_t *grants = NULL;
        enum cli_exit code = ask_on(c, client, CTL_GRANTS, NULL, &grants);

        if (code != CLI_OK)
            return code;
        show_again(c, grants, &lines);
        if (any_ends_soon(grants) && !rung && isatty(STDERR_FILENO) == 1)
            (void)fputc('\a', c->err);
        rung = any_ends_soon(grants);
        n = json_array_size(grants);
        json_decref(grants);
    } while (n > 0 && !c->lost && !ferror(c->out) && nanosleep(&second, NULL) == 0);
    return CLI_OK;
}

enum cli_exit grant_status(struct cli *c, bool watching)
{
    struct ctl_client client = {.socket = -1};
    json_t *grants = NULL;
    enum cli_exit code = ask_open(c, &client);

    if (code == CLI_OK && watching)
        code = watch(c, &client);
    else if (code == CLI_OK)
        code = ask_on(c, &client, CTL_GRANTS, NULL, &grants);
    if (grants)
        cli_show(c, grants, grant_text);
    json_decref(grants);
    ctl_client_close(&client);
    return code;
}

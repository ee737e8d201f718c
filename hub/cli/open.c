/* Owns: which centre a verb works on, who asks, and the words for what can be wrong with it. Must not: change anything. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "hub/cli/hub.h"

enum {
    PASSWD_SIZE = 16 * 1024,
};

const char *hub_place(const struct cli *c)
{
    return c->place ? c->place : HUB_DIRECTORY;
}

/* The kernel keeps who logged in through sudo(8) and su(1) (CONFIG_AUDIT); where nobody did, whose process this is. */
static uid_t person(const struct cli *c)
{
    char path[256];
    _cleanup_free_ char *text = NULL;
    uint64_t uid = 0;

    (void)snprintf(path, sizeof(path), "%s/self/loginuid", c->proc);
    if (files_read_text_at(AT_FDCWD, path, 32, &text) < 0 || text_to_u64(text, UINT32_MAX - 1, &uid) < 0)
        return getuid();
    return (uid_t)uid;
}

struct hub_actor hub_actor_of(struct cli *c)
{
    char buffer[PASSWD_SIZE], name[300];
    struct passwd entry, *found = NULL;
    uid_t uid = person(c);

    (void)getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
    if (found)
        (void)snprintf(name, sizeof(name), "local:%s", found->pw_name);
    else
        (void)snprintf(name, sizeof(name), "local:uid %u", uid);
    return (struct hub_actor){.name = cli_safe(c, name), .now_us = clock_wall_us()};
}

enum cli_exit hub_failed(struct cli *c, int error)
{
    const char *place = cli_safe(c, hub_place(c));

    switch (error) {
    case CENTRE_E_NONE:
        cli_error(c, _("%s: there is no centre here; “kuraban-hub init” makes one"), place);
        return CLI_FAILED;
    case CENTRE_E_OWNER:
        cli_error(c, _("%s belongs to another user, or others may write to it; run this as its owner (sudo -u)"),
                  place);
        return CLI_NOT_PERMITTED;
    case -EUCLEAN:
        cli_error(c, _("%s/hub.db is damaged or not the centre's; nothing was changed. Restore the last copy"), place);
        return CLI_FAILED;
    case -EOPNOTSUPP:
        cli_error(c, _("%s/hub.db is of a later version of kuraban-hub; nothing was changed"), place);
        return CLI_FAILED;
    case -EBUSY:
        cli_error(c, _("%s/hub.db: somebody else was writing all the time; try again"), place);
        return CLI_FAILED;
    case -ENOSPC:
        cli_error(c, _("%s: no space left; nothing was changed"), place);
        return CLI_FAILED;
    default:
        cli_error(c, "%s: %s", place, strerror(error < 0 ? -error : EIO));
        return error == -EACCES || error == -EPERM ? CLI_NOT_PERMITTED : CLI_FAILED;
    }
}

enum cli_exit hub_open(struct cli *c, struct centre *ret)
{
    int r = centre_open(hub_place(c), clock_wall_us(), ret);

    return r == CENTRE_OK ? CLI_OK : hub_failed(c, r);
}

json_t *hub_json_time(int64_t wall_us)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_us == 0)
        return json_null();
    clock_format_rfc3339(wall_us, text);
    return json_string(text);
}

enum cli_exit hub_show_list(struct cli *c, int r, json_t *items, cli_text *text)
{
    if (r < 0)
        return hub_failed(c, r);
    if (!items)
        return hub_failed(c, -ENOMEM);
    cli_show(c, items, text);
    return CLI_OK;
}

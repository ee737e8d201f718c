/*
 * Owns: the list that is shown to who approves, and its digest, which kuraband compares with what the exporting process finds. Must not: leave
 * anything out without saying how much, or show a byte that a terminal obeys.
 */
#include "cli/export_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/factor_tty.h"
#include "cli/grant_show.h"
#include "cli/i18n.h"
#include "export/list.h"

enum {
    ROWS = 24, /* of a terminal that does not tell */
    COLUMNS = 80,
    ROWS_BESIDE = 8, /* what stands above and below the names */
    ROWS_LEAST = 4,
    BEFORE_NAME = 24, /* of a line, before the name */
};

enum cli_exit export_list_name(struct cli *c, struct export_file *files, size_t n)
{
    struct export_names names = {0};
    enum cli_exit code = CLI_OK;

    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(files[i].path, '/');
        char safe[EXPORT_NAME_MAX + 1];
        int r = export_name_make(slash ? slash + 1 : files[i].path, safe);

        if (r >= 0)
            r = export_names_add(&names, safe, files[i].name);
        if (r >= 0)
            continue;
        cli_error(c, "%s: %s", cli_safe(c, files[i].path), strerror(-r));
        code = CLI_FAILED;
    }
    export_names_done(&names);
    return code;
}

enum cli_exit export_list_hex(struct cli *c, const struct export_file *files, size_t n,
                              char ret[static DIGEST_HEX_SIZE])
{
    struct digest_fields *list = NULL;
    struct digest digest;
    int r = export_list_new(n, &list);

    for (size_t i = 0; i < n && r >= 0; i++)
        r = export_list_add(list, files[i].name, files[i].size);
    if (r >= 0)
        r = digest_fields_finish(list, &digest);
    (void)digest_fields_free(list);
    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        return CLI_FAILED;
    }
    digest_to_hex(&digest, ret);
    return CLI_OK;
}

/* --- showing --- */

static struct winsize screen(void)
{
    _cleanup_close_ int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    struct winsize w = {0};

    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_row == 0 || w.ws_col == 0)
        w = (struct winsize){.ws_row = ROWS, .ws_col = COLUMNS};
    return w;
}

static uint64_t total_size(const struct export_file *files, size_t n)
{
    uint64_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += files[i].size;
    return size;
}

/* How many of them there is room for; bytes are at least as many as columns. */
static size_t that_fit(const struct export_file *files, size_t n, const struct winsize *w)
{
    size_t rows = w->ws_row > ROWS_BESIDE + ROWS_LEAST ? w->ws_row - ROWS_BESIDE : ROWS_LEAST, used = 0, i = 0;

    while (i < n) {
        used += 1 + (BEFORE_NAME + strlen(files[i].name)) / w->ws_col;
        if (used > rows)
            break;
        i++;
    }
    return i > 0 || n == 0 ? i : 1;
}

void export_list_show(struct cli *c, const struct export_list_words *words)
{
    const struct winsize w = screen();
    size_t n = that_fit(words->files, words->n, &w), more = words->n - n;
    char person[64];

    factor_tty_say(ngettext("%s takes out %zu file, %" PRIu64 " bytes, to %s:",
                            "%s takes out %zu files, %" PRIu64 " bytes, to %s:", (unsigned long)words->n),
                   cli_safe(c, grant_person(getuid(), person, sizeof(person))), words->n,
                   total_size(words->files, words->n), cli_safe(c, words->device));
    for (size_t i = 0; i < n; i++)
        factor_tty_say(_("%15" PRIu64 " bytes  %s"), words->files[i].size, cli_safe(c, words->files[i].name));
    if (more > 0)
        factor_tty_say(
            ngettext("  and %zu more, %" PRIu64 " bytes", "  and %zu more, %" PRIu64 " bytes", (unsigned long)more),
            more, total_size(words->files + n, more));
    factor_tty_say(_("Reason: %s"), cli_safe(c, words->reason));
}

/*
 * Owns: what an enrolment shows on the terminal itself. Must not: use standard output, which may be a file, or stdio, which keeps
 * copies.
 */
#include "cli/factor_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/qr.h"

enum {
    SHOWN_MAX = 64 * 1024,
    GROUP = 4,       /* characters of base32 between two spaces */
    ROWS_BESIDE = 2, /* lines that stay readable with the code */
};

static int open_terminal(void)
{
    int fd = open("/dev/tty", O_WRONLY | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static enum cli_exit tell_none(struct cli *c)
{
    cli_error(c, "%s", _("there is no terminal to ask on"));
    cli_next(c, N_("Run it in a terminal window, not from a script."));
    return CLI_USAGE;
}

enum cli_exit factor_tty_need(struct cli *c)
{
    _cleanup_close_ int fd = open_terminal();

    return fd >= 0 ? CLI_OK : tell_none(c);
}

/* How much quiet zone there is room for; 0: no QR code. A terminal that does not know its size (a serial line) is 80 by 24. */
static unsigned room(int fd, const struct qr *q)
{
    struct winsize size = {0};
    const char *kind = getenv("TERM");

    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || !kind || !*kind || text_equal(kind, "dumb"))
        return 0;
    for (unsigned quiet = QR_QUIET; quiet > 0; quiet--)
        if (qr_columns(q, quiet) <= size.ws_col && qr_rows(q, quiet) + ROWS_BESIDE <= size.ws_row)
            return quiet;
    return 0;
}

static int add_groups(struct buf *b, const char *base32)
{
    int r = buf_printf(b, "\n    ");

    for (size_t i = 0; base32[i] && r == 0; i++)
        r = buf_printf(b, "%s%c", i > 0 && i % GROUP == 0 ? " " : "", base32[i]);
    return r < 0 ? r : buf_printf(b, "\n\n");
}

static int add_code(struct buf *b, int fd, const char *uri)
{
    struct qr q = {0};
    unsigned quiet;
    int r = qr_make(uri, QR_SCREEN, &q);

    if (r == -ENOMEM)
        return r;
    quiet = r == 0 ? room(fd, &q) : 0;
    if (quiet == 0)
        r = buf_printf(
            b, "%s\n",
            _("This terminal cannot show a QR code (UTF-8 and a larger window are needed): type the key instead."));
    else
        r = qr_text(&q, quiet, b);
    qr_wipe(&q);
    return r;
}

enum cli_exit factor_tty_show(struct cli *c, const struct factor_person *p, const char *base32, const char *uri)
{
    _cleanup_close_ int fd = open_terminal();
    struct buf b;
    int r = fd < 0 ? fd : 0;

    buf_init(&b, SHOWN_MAX);
    if (r == 0)
        r = buf_printf(&b, _("Add this to the authenticator of %s, with its camera or by typing the key:"),
                       cli_safe(c, p->name));
    if (r == 0)
        r = add_groups(&b, base32);
    if (r == 0)
        r = add_code(&b, fd, uri);
    if (r == 0)
        r = files_write_all(fd, b.data, b.size);
    buf_done(&b);
    if (r == 0)
        return CLI_OK;
    if (r == -ENXIO || r == -ENOENT)
        return tell_none(c);
    cli_error(c, "%s", strerror(-r));
    return CLI_FAILED;
}

void factor_tty_say(const char *fmt, ...)
{
    _cleanup_close_ int fd = open_terminal();
    _cleanup_free_ char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = text_vformat(fmt, args);
    va_end(args);
    if (fd >= 0 && text && files_write_all(fd, text, strlen(text)) == 0)
        (void)files_write_all(fd, "\n", 1);
}

void factor_tty_clear(void)
{
    static const char clear[] = "\033[H\033[2J\033[3J";
    _cleanup_close_ int fd = open_terminal();
    const char *kind = getenv("TERM");

    if (fd >= 0 && kind && *kind && !text_equal(kind, "dumb"))
        (void)files_write_all(fd, clear, sizeof(clear) - 1);
}

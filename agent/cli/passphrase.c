/*
 * Owns: secrets that a person types or a machine's file holds, the terminal while one is typed, and the question before something
 * is signed. Must not: take one from the arguments or the environment, where every process of the machine could read it; show,
 * keep or log one.
 */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"

enum {
    LOCKED_HEAP = 64 * 1024, /* bytes; for passphrases and what OpenSSL keeps of a private key */
    LOCKED_SMALLEST = 32,
    ATTEMPTS = 3,
    ANSWER_MAX = 64,
};

void passphrase_protect(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    /* Where memory cannot be locked it is an ordinary heap, wiped all the same. */
    if (!CRYPTO_secure_malloc_initialized())
        (void)CRYPTO_secure_malloc_init(LOCKED_HEAP, LOCKED_SMALLEST);
}

static struct passphrase *passphrase_new(void)
{
    return OPENSSL_secure_zalloc(sizeof(struct passphrase) + PASSPHRASE_MAX + 1);
}

struct passphrase *passphrase_free(struct passphrase *p)
{
    OPENSSL_secure_clear_free(p, sizeof(struct passphrase) + PASSPHRASE_MAX + 1);
    return NULL;
}

struct passphrase *passphrase_take(char *given)
{
    size_t size = strlen(given);
    struct passphrase *p = size <= PASSPHRASE_MAX ? OPENSSL_secure_zalloc(sizeof(*p) + PASSPHRASE_MAX + 1) : NULL;

    if (p) {
        p->size = size;
        memcpy(p->text, given, size);
    }
    OPENSSL_cleanse(given, size);
    return p;
}

DEFINE_CLEANUP(struct passphrase *, passphrase_free);
#define _cleanup_passphrase_ _cleanup_(passphrase_freep)

static enum cli_exit no_memory(struct cli *c)
{
    cli_error(c, "%s", strerror(ENOMEM));
    return CLI_FAILED;
}

/* --- the terminal --- */

/* What ends or stops a program while the echo is off. */
static const int signals[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGTSTP};
static volatile sig_atomic_t signal_seen;

static void note_signal(int number)
{
    signal_seen = number;
}

struct terminal {
    int fd;
    bool quiet; /* echo is off */
    struct termios before;
    sigset_t mask; /* before */
    struct sigaction actions[ELEMENTS(signals)];
};

static int terminal_open(struct terminal *t)
{
    *t = (struct terminal){.fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (t->fd < 0)
        return -errno;
    return 0;
}

/* Signals wait from here until terminal_end(), except inside ppoll(). */
static int terminal_begin(struct terminal *t, bool echo)
{
    struct sigaction note = {.sa_handler = note_signal};
    struct termios quiet;
    sigset_t blocked;

    signal_seen = 0;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < ELEMENTS(signals); i++)
        (void)sigaddset(&blocked, signals[i]);
    (void)sigemptyset(&note.sa_mask);
    (void)sigprocmask(SIG_BLOCK, &blocked, &t->mask);
    for (size_t i = 0; i < ELEMENTS(signals); i++) {
        (void)sigaction(signals[i], NULL, &t->actions[i]);
        if (t->actions[i].sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &note, NULL);
    }
    /* What was typed before the question is no answer to it. */
    if (echo)
        return tcflush(t->fd, TCIFLUSH) < 0 ? -errno : 0;
    if (tcgetattr(t->fd, &t->before) < 0)
        return -errno;
    quiet = t->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_lflag |= ICANON | ISIG;
    if (tcsetattr(t->fd, TCSAFLUSH, &quiet) < 0)
        return -errno;
    t->quiet = true;
    return 0;
}

static void terminal_end(struct terminal *t)
{
    if (t->quiet) {
        (void)tcsetattr(t->fd, TCSAFLUSH, &t->before);
        (void)!write(t->fd, "\n", 1);
    }
    t->quiet = false;
    for (size_t i = 0; i < ELEMENTS(signals); i++)
        (void)sigaction(signals[i], &t->actions[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

static int write_all(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t n = write(fd, text, size);

        if (n < 0)
            return -errno;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

/* One line, canonical mode: read(2) gives at most one. A longer one is -EMSGSIZE, and its rest is thrown away with TCSAFLUSH. */
static int read_line(struct terminal *t, char *buffer, size_t size, size_t *ret_size)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    size_t used = 0;

    for (;;) {
        char *end;
        ssize_t n;

        if (ppoll(&p, 1, NULL, &t->mask) < 0)
            return -errno;
        n = read(t->fd, buffer + used, size - used);
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENODATA;
        end = memchr(buffer + used, '\n', (size_t)n);
        used += (size_t)n;
        if (end) {
            *ret_size = (size_t)(end - buffer);
            *end = '\0';
            return 0;
        }
        if (used == size)
            return -EMSGSIZE;
    }
}

/* Asks until there is an answer. After a stop (Ctrl-Z) the question is asked again; any other signal ends the program as it would
 * have, or comes back as -EINTR when the caller ignores it. */
static int ask_line(const char *prompt, bool echo, char *buffer, size_t size, size_t *ret_size)
{
    for (;;) {
        struct terminal t;
        int r = terminal_open(&t), number;

        if (r < 0)
            return r == -ENOENT || r == -ENXIO ? -ENOTTY : r;
        r = terminal_begin(&t, echo);
        if (r == 0)
            r = write_all(t.fd, prompt);
        if (r == 0)
            r = read_line(&t, buffer, size, ret_size);
        terminal_end(&t);
        t.fd = close_fd(t.fd);
        if (r != -EINTR)
            return r;
        OPENSSL_cleanse(buffer, size);
        number = (int)signal_seen;
        if (number != 0)
            (void)raise(number);
        if (number != SIGTSTP && number != 0)
            return -EINTR;
    }
}

static enum cli_exit not_asked(struct cli *c, int error, const char *instead)
{
    switch (-error) {
    case ENOTTY:
        if (instead) {
            cli_error(c, _("there is no terminal to ask on; %s is for scripts"), instead);
            return CLI_USAGE;
        }
        cli_error(c, _("there is no terminal to ask on"));
        cli_next(c, N_("Run it in a terminal window, not from a script."));
        return CLI_USAGE;
    case EMSGSIZE:
        cli_error(c, _("the answer is too long"));
        return CLI_FAILED;
    case ENODATA:
    case EINTR:
        cli_error(c, _("nothing was answered, nothing was done"));
        return CLI_FAILED;
    default:
        cli_error(c, "/dev/tty: %s", strerror(-error));
        return CLI_FAILED;
    }
}

/* --- passphrases --- */

static enum cli_exit ask(struct cli *c, const char *prompt, bool echo, const char *instead, struct passphrase **ret)
{
    _cleanup_passphrase_ struct passphrase *p = passphrase_new();
    int r;

    if (!p)
        return no_memory(c);
    r = ask_line(prompt, echo, p->text, PASSPHRASE_MAX + 1, &p->size);
    if (r < 0)
        return not_asked(c, r, instead);
    *ret = TAKE_PTR(p);
    return CLI_OK;
}

enum cli_exit passphrase_ask(struct cli *c, const char *prompt, struct passphrase **ret)
{
    return ask(c, prompt, false, "--passphrase-file", ret);
}

enum cli_exit passphrase_ask_shown(struct cli *c, const char *prompt, struct passphrase **ret)
{
    return ask(c, prompt, true, NULL, ret);
}

/* Characters, not bytes: a Japanese one has three bytes. */
static size_t count_characters(const struct passphrase *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->size; i++)
        n += ((uint8_t)p->text[i] & 0xc0) != 0x80;
    return n;
}

bool passphrase_is_long_enough(struct cli *c, const struct passphrase *p)
{
    if (count_characters(p) >= PASSPHRASE_NEW_MIN)
        return true;
    cli_error(c, _("a passphrase has at least %d characters; several words are easy to remember"), PASSPHRASE_NEW_MIN);
    return false;
}

enum cli_exit passphrase_ask_new(struct cli *c, struct passphrase **ret)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        _cleanup_passphrase_ struct passphrase *first = NULL, *second = NULL;
        enum cli_exit code = passphrase_ask(c, _("New passphrase (nothing is shown): "), &first);

        if (code != CLI_OK)
            return code;
        if (!passphrase_is_long_enough(c, first))
            continue;
        code = passphrase_ask(c, _("The same again: "), &second);
        if (code != CLI_OK)
            return code;
        if (first->size == second->size && CRYPTO_memcmp(first->text, second->text, first->size) == 0) {
            *ret = TAKE_PTR(first);
            return CLI_OK;
        }
        cli_error(c, _("the two differ"));
    }
    return CLI_FAILED;
}

/* A secret that others can read is none. An inherited descriptor was opened by the caller: a pipe, a memfd, a file of its own. */
static const char *file_problem(const struct stat *st, bool inherited)
{
    if (inherited && !S_ISREG(st->st_mode))
        return NULL;
    if (!S_ISREG(st->st_mode))
        return N_("this is not a regular file");
    if (st->st_uid != geteuid())
        return N_("the passphrase file belongs to somebody else");
    if (st->st_mode & (S_IRWXG | S_IRWXO))
        return N_("others can read the passphrase file; “chmod 600” closes it");
    return NULL;
}

/* "/dev/fd/N": a duplicate, -ENOENT for any other path. */
static int open_inherited(const char *path)
{
    uint64_t number;
    int fd;

    if (!text_starts(path, "/dev/fd/") || text_to_u64(path + strlen("/dev/fd/"), INT32_MAX, &number) < 0)
        return -ENOENT;
    fd = fcntl((int)number, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

/* The first line; what follows it is left alone, so that one file can hold a note as well. */
static int read_first_line(int fd, struct passphrase *p)
{
    size_t used = 0;

    for (;;) {
        ssize_t n = read(fd, p->text + used, PASSPHRASE_MAX + 1 - used);
        const char *end;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        end = memchr(p->text + used, '\n', (size_t)n);
        used += (size_t)n;
        if (n == 0 || end) {
            p->size = end ? (size_t)(end - p->text) : used;
            break;
        }
        if (used > PASSPHRASE_MAX)
            return -EMSGSIZE;
    }
    OPENSSL_cleanse(p->text + p->size, PASSPHRASE_MAX + 1 - p->size);
    return p->size == 0 || memchr(p->text, '\0', p->size) ? -EINVAL : 0;
}

enum cli_exit passphrase_read_file(struct cli *c, const char *path, struct passphrase **ret)
{
    _cleanup_passphrase_ struct passphrase *p = passphrase_new();
    _cleanup_close_ int fd = open_inherited(path);
    bool inherited = fd >= 0;
    const char *problem;
    struct stat st;
    int r;

    if (!p)
        return no_memory(c);
    if (fd == -ENOENT)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(fd < -1 ? -fd : errno));
        return CLI_FAILED;
    }
    problem = file_problem(&st, inherited);
    if (problem) {
        cli_error(c, "%s: %s", cli_safe(c, path), _(problem));
        return CLI_NOT_PERMITTED;
    }
    r = read_first_line(fd, p);
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path),
                  r == -EINVAL     ? _("the first line holds no passphrase")
                  : r == -EMSGSIZE ? _("the first line is too long")
                                   : strerror(-r));
        return CLI_FAILED;
    }
    *ret = TAKE_PTR(p);
    return CLI_OK;
}

/* --- yes --- */

bool passphrase_confirm(struct cli *c, const char *question)
{
    char answer[ANSWER_MAX] = "";
    size_t size = 0;
    int r = ask_line(question, true, answer, sizeof(answer), &size);

    if (r < 0) {
        (void)not_asked(c, r, "--yes");
        return false;
    }
    /* TRANSLATORS: the word that is typed to agree; “yes” is always understood. */
    return text_equal(answer, "yes") || text_equal(answer, _("yes"));
}

/*
 * Owns: running kuraban-fetch, as a user that may do nothing, and reading what it says. Must not: speak to the network, or believe an answer:
 * kuraband verifies it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/enrol.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "ctl/sealed.h"
#include "json/whole.h"

enum {
    OUTPUT_MAX = 6 * 1024 * 1024, /* bytes: an answer of 2 MiB, escaped */
    DEADLINE_S = 150,             /* it has its own, shorter ones */
};

void enrol_answer_done(struct enrol_answer *a)
{
    json_decref(a->body);
    free(a->ca);
    *a = (struct enrol_answer){0};
}

/* --- the process --- */

/* Beside this program in a build tree, else where it is installed. Opened by root: the user it runs as need not reach it. */
static int open_program(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;
    int fd = -1;

    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (slash && (size_t)(slash - path) + sizeof("/kuraban-fetch") <= sizeof(path)) {
            memcpy(slash, "/kuraban-fetch", sizeof("/kuraban-fetch"));
            fd = open(path, O_RDONLY | O_CLOEXEC);
        }
    }
    if (fd < 0)
        fd = open(KURABAN_LIBEXEC_DIR "/kuraban-fetch", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* In the child: system calls only. Returns only when it failed. */
static void become(const struct enrol_fetch *f, int program, int in, int out)
{
    char name[] = "kuraban-fetch", *arguments[] = {name, NULL}, *environment[] = {NULL};
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || chdir("/") < 0 || setgroups(0, NULL) < 0 ||
        setresgid(f->group, f->group, f->group) < 0 || setresuid(f->user, f->user, f->user) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return;
    (void)syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
}

/* The request is in a memfd: nobody waits for who does not read. */
static int start(const struct enrol_fetch *f, const char *input, int *ret_out, pid_t *ret)
{
    _cleanup_close_ int program = open_program(), in = sealed_make(input, strlen(input)), read_end = -1, write_end = -1;
    int ends[2];
    pid_t pid;

    if (program < 0 || in < 0)
        return program < 0 ? program : in;
    if (lseek(in, 0, SEEK_SET) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    read_end = ends[0];
    write_end = ends[1];
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        become(f, program, in, write_end);
        _exit(127);
    }
    *ret = pid;
    *ret_out = TAKE_FD(read_end);
    return 0;
}

static int read_all(int fd, struct buf *ret)
{
    uint64_t end = clock_boottime_us() + DEADLINE_S * UINT64_C(1000000);
    char bytes[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_boottime_us();
        ssize_t n;
        int r;

        if (now >= end || poll(&p, 1, (int)((end - now) / 1000)) == 0)
            return -ETIMEDOUT;
        n = read(fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        r = buf_add(ret, bytes, (size_t)n);
        if (r < 0)
            return r;
    }
}

static int run(const struct enrol_fetch *f, const char *input, struct buf *ret)
{
    _cleanup_close_ int out = -1;
    pid_t pid = -1;
    int r = start(f, input, &out, &pid), status = -1;

    if (r < 0)
        return r;
    r = read_all(out, ret);
    if (r < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (r < 0)
        return r;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

/* --- what it says --- */

static enum cli_exit tell(struct cli *c, const struct enrol_fetch *f, const char *result, const char *detail)
{
    static const struct {
        const char *result, *words;
    } known[] = {
        {"address", N_("this is no address of a centre: https://HOST:PORT")},
        {"connect", N_("nobody answers there, or there is no such name")},
        {"timeout", N_("it took too long")},
        {"tls", N_("what answers there does not speak TLS 1.2 or later")},
        {"pin",
         N_("THIS IS NOT THE CENTRE: what answers there shows no authority with this pin. The token was not sent. "
            "Compare the pin; if it is right, somebody is in between")},
        {"certificate",
         N_("the certificate of what answers there does not lead to the pinned authority, is over, or is "
            "for another name. The token was not sent")},
        {"answer", N_("what came back is no answer of a centre")},
    };
    const char *words = N_("what came back is no answer of a centre");

    for (size_t i = 0; i < ELEMENTS(known); i++)
        if (text_equal(known[i].result, result))
            words = known[i].words;
    cli_error(c, "%s: %s%s%s", cli_safe(c, f->hub), _(words), *detail ? ": " : "", cli_safe(c, detail));
    return text_equal(result, "pin") || text_equal(result, "certificate") ? CLI_NO : CLI_UNREACHABLE;
}

static enum cli_exit understand(struct cli *c, const struct enrol_fetch *f, const struct buf *output,
                                struct enrol_answer *ret)
{
    json_t *j = json_loadb((const char *)output->data, output->size, JSON_REJECT_DUPLICATES, NULL);
    const char *result = value_string(j, "result"), *body = value_string(j, "body"), *ca = value_string(j, "ca");
    struct enrol_answer a = {.status = value_number(j, "status")};
    enum cli_exit code = CLI_OK;

    if (!text_equal(result, "ok")) {
        code = tell(c, f, result, value_string(j, "detail"));
    } else {
        a.body = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        a.ca = strdup(ca);
        if (!json_is_object(a.body) || !a.ca || !*a.ca)
            code = tell(c, f, "answer", "");
    }
    json_decref(j);
    if (code == CLI_OK)
        *ret = a;
    else
        enrol_answer_done(&a);
    return code;
}

enum cli_exit enrol_fetch(struct cli *c, const struct enrol_fetch *f, const char *path, const char *body,
                          struct enrol_answer *ret)
{
    char pin[DIGEST_HEX_SIZE], *input = NULL;
    struct buf output;
    enum cli_exit code = CLI_FAILED;
    json_t *j;
    int r;

    digest_to_hex(&f->pin, pin);
    j = json_pack("{s:s, s:s, s:s, s:s}", "hub", f->hub, "pin", pin, "path", path, "body", body);
    r = whole_text(j, JSON_COMPACT, &input);
    json_decref(j);
    buf_init(&output, OUTPUT_MAX);
    if (r == 0)
        r = run(f, input, &output);
    if (r < 0)
        cli_error(c, _("the centre could not be asked: kuraban-fetch: %s"), strerror(-r));
    else
        code = understand(c, f, &output, ret);
    if (input)
        explicit_bzero(input, strlen(input));
    free(input);
    buf_done(&output);
    return code;
}

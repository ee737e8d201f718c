/*
 * How long one verification takes at the socket, from connecting to the answer as the PAM module does it: with the store synced (two
 * transactions for a right code, one for a wrong one) and without. The server side is ctl/ and mfa/ with a clock that goes on by a step with each
 * request; the journal is not written. Usage: mfa [DIRECTORY [ROUNDS]]; the directory's filesystem is what is measured. Root.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ctl/login.h"
#include "ctl/server.h"
#include "mfa/mfa.h"

enum {
    UID = 1001,
    ROUNDS = 500,
    STEP_US = 30 * 1000000
};
#define BASE32 "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define START (INT64_C(1795395600) * 1000000)

/* Each attempt is in a step of its own. */
struct server {
    struct mfa *mfa;
    struct mfa_now now;
};

static enum ctl_code on_login(void *context, const struct ctl_call *call, struct json_t **ret)
{
    struct server *s = context;
    _cleanup_free_ char *user = NULL, *service = NULL, *rhost = NULL, *tty = NULL, *code = NULL;
    struct mfa_result result;
    uint32_t uid = 0;
    uint8_t step = 0;

    (void)ret;
    if (buf_get_u8(call->fields, &step) < 0 || buf_get_u32(call->fields, &uid) < 0 ||
        buf_get_string(call->fields, 256, &user) < 0 || buf_get_string(call->fields, 64, &service) < 0 ||
        buf_get_string(call->fields, 256, &rhost) < 0 || buf_get_string(call->fields, 256, &tty) < 0 ||
        buf_get_string(call->fields, 64, &code) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    s->now.wall_us += STEP_US;
    s->now.boottime_us += STEP_US;
    mfa_verify(s->mfa, uid, code, &s->now, &result);
    if (result.outcome == MFA_WRONG && result.failures > 50)
        (void)mfa_lift(s->mfa, uid, &s->now);
    return buf_add_u8(call->reply, (uint8_t)result.outcome) < 0 || buf_add_u32(call->reply, result.number) < 0 ||
                   buf_add_u8(call->reply, 0) < 0
               ? CTL_CODE_FAILED
               : CTL_CODE_OK;
}

static int serve(int directory, const char *path, bool unsynced, int ready)
{
    static const struct ctl_verb verbs[] = {{CTL_MFA_LOGIN, CTL_PERMIT_ANYBODY | CTL_FIELDS, on_login}};
    const struct mfa_ops ops = {.unsynced = unsynced};
    const struct mfa_options options = {.state_directory = directory, .ops = &ops};
    const struct mfa_limits limits = {.failures = 100, .window = 1};
    struct server s = {.now = {.wall_us = START, .boottime_us = 1000000}};
    struct ctl_server *server = NULL;
    sd_event *loop = NULL;
    int fd, r = mfa_open(&options, &s.mfa);

    if (r < 0)
        return r;
    mfa_set_limits(s.mfa, &limits);
    r = mfa_import(s.mfa, UID, "bench", BASE32, &totp_default, 0, &s.now, NULL);
    if (r != 0)
        return -EIO;
    fd = ctl_listen_at(directory, path);
    r = fd < 0 ? fd : sd_event_new(&loop);
    if (r >= 0)
        r = ctl_server_new(loop, fd, verbs, ELEMENTS(verbs), &s, &server);
    if (r >= 0 && write(ready, "1", 1) != 1)
        r = -EIO;
    return r < 0 ? r : sd_event_loop(loop);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int measure(const char *path, bool right, unsigned rounds, int64_t *wall, const char *what)
{
    _cleanup_free_ uint64_t *times = calloc(rounds, sizeof(*times));
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size = 0;

    if (!times || totp_base32_read(BASE32, secret, &size) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < rounds; i++) {
        char code[TOTP_CODE_SIZE] = "00000";
        struct ctl_login login = {
            .step = CTL_LOGIN_VERIFY, .uid = UID, .user = "bench", .service = "login", .code = code};
        struct ctl_login_answer answer;
        int budget = 10000, r;
        uint64_t start;

        *wall += STEP_US;
        if (right && totp_code(&totp_default, secret, size, totp_step(&totp_default, *wall), code) < 0)
            return -EIO;
        start = clock_boottime_us();
        r = ctl_login_ask(path, &login, &budget, &answer);
        times[i] = clock_boottime_us() - start;
        if (r < 0 || answer.outcome != (right ? CTL_LOGIN_ACCEPTED : CTL_LOGIN_WRONG)) {
            (void)fprintf(stderr, "outcome %d, error %d\n", r < 0 ? -1 : (int)answer.outcome, r);
            return r < 0 ? r : -EPROTO;
        }
    }
    qsort(times, rounds, sizeof(*times), by_size);
    printf("%-22s median %6.3f ms  99 %% %6.3f ms\n", what, (double)times[rounds / 2] / 1e3,
           (double)times[rounds * 99 / 100] / 1e3);
    return 0;
}

static int bench(const char *parent, bool unsynced, unsigned rounds)
{
    char path[256], command[300];
    int64_t wall = START;
    int directory, r, status = 0, ready[2];
    pid_t child;
    char byte;

    (void)snprintf(path, sizeof(path), "%.200s/mfa-bench-XXXXXX", parent);
    if (!mkdtemp(path))
        return -errno;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return -errno;
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(serve(directory, path, unsynced, ready[1]) < 0);
    }
    close_fd(ready[1]);
    r = read(ready[0], &byte, 1) == 1 ? 0 : -EIO;
    close_fd(ready[0]);
    if (r >= 0)
        r = measure(path, true, rounds, &wall, unsynced ? "right code, no fsync" : "right code, fsync");
    if (r >= 0)
        r = measure(path, false, rounds, &wall, unsynced ? "wrong code, no fsync" : "wrong code, fsync");
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    close_fd(directory);
    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
    return system(command) == 0 ? r : -EIO;
}

int main(int argc, char **argv)
{
    const char *parent = argc > 1 ? argv[1] : "/var/tmp";
    uint64_t rounds = ROUNDS;
    int r;

    if (argc > 2 && (text_to_u64(argv[2], 1000000, &rounds) < 0 || rounds == 0))
        return 2;
    r = bench(parent, true, (unsigned)rounds);
    if (r >= 0)
        r = bench(parent, false, (unsigned)rounds);
    if (r < 0)
        (void)fprintf(stderr, "mfa_bench: %s\n", strerror(-r));
    return r < 0;
}

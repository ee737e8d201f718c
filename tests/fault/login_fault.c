/*
 * A login while calls fail: one in 400 of what pam_kuraban calls, seeded, and each single call once. Whatever fails, it does not crash, leaves
 * no descriptor and no locale behind (memory: the sanitizer's leak check at the end), says PAM_SUCCESS only where a right code was given or
 * none was asked for, and PAM_IGNORE only where kuraband said that policy asks for none. Usage: see usage(); docs/TESTING.md has figures.
 */
#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/login.h"
#include "fake/login.h"
#include "fake/pam.h"
#include "fault/fault.h"
#include "test.h"

#define FIELDS(outcome, number, flags) .bytes = (const uint8_t[]){(outcome), (number), 0, 0, 0, (flags)}, .size = 6
#define BYTES(text) .bytes = (text), .size = sizeof(text) - 1
#define OFFER "\x01\0\0\0\0\0\x08\0\0\0MFRGGZDF\x1d\0\0\0otpauth://totp/x?secret=MFRGG"
#define RECOVERY "\x01\0\0\0\0\0\x02\x04\0\0\0aaaa\x04\0\0\0bbbb"

enum {
    ONE_IN = 400,
    RESULTS = 64,
};

static const char *const right[] = {"123456", NULL}, *const wrong[] = {"123457", NULL}, *const empty[] = {"", NULL},
                         *const both[] = {"111111", "222222", "", NULL};

struct material {
    const char *name;
    int result; /* without faults */
    const char *const *answers;
    struct fake_login_reply replies[FAKE_LOGIN_REPLIES];
    struct fake_login daemon;
    uint64_t calls;
};

#define NEEDED                                                                                                         \
    {                                                                                                                  \
        FIELDS(CTL_LOGIN_NEEDED, 0, 0)                                                                                 \
    }
#define RIGHT                                                                                                          \
    {                                                                                                                  \
        FIELDS(CTL_LOGIN_ACCEPTED, 0, 0), .code = "123456"                                                             \
    }
static struct material materials[] = {
    {"right code", PAM_SUCCESS, right, {NEEDED, RIGHT}, {.pid = 0}, 0},
    {"wrong code", PAM_AUTH_ERR, wrong, {NEEDED, RIGHT}, {.pid = 0}, 0},
    {"no code", PAM_AUTH_ERR, empty, {NEEDED, RIGHT}, {.pid = 0}, 0},
    {"used code", PAM_AUTH_ERR, right, {NEEDED, {FIELDS(CTL_LOGIN_USED, 0, 0)}}, {.pid = 0}, 0},
    {"locked", PAM_MAXTRIES, right, {{FIELDS(CTL_LOGIN_LOCKED, 0, 0)}, RIGHT}, {.pid = 0}, 0},
    {"not needed", PAM_IGNORE, right, {{FIELDS(CTL_LOGIN_NOT_NEEDED, 0, 0)}, RIGHT}, {.pid = 0}, 0},
    {"grace", PAM_SUCCESS, right, {{FIELDS(CTL_LOGIN_GRACE, 3, 0)}, RIGHT}, {.pid = 0}, 0},
    {"unavailable", PAM_AUTHINFO_UNAVAIL, right, {{FIELDS(CTL_LOGIN_UNAVAILABLE, 0, 0)}, RIGHT}, {.pid = 0}, 0},
    {"enrolment",
     PAM_SUCCESS,
     both,
     {{FIELDS(CTL_LOGIN_NOT_ENROLLED, 0, CTL_LOGIN_ENROL_OPEN)},
      [CTL_LOGIN_ENROL] = {BYTES(OFFER)},
      [CTL_LOGIN_CONFIRM] = {BYTES(RECOVERY), .code = "111111 222222"}},
     {.pid = 0},
     0},
    {"hung up", PAM_AUTHINFO_UNAVAIL, right, {NEEDED, {.manner = FAKE_LOGIN_HANG_UP}}, {.pid = 0}, 0},
};

static struct {
    uint64_t rounds, calls, faults, results[RESULTS];
} tally;

static _Noreturn void failed(const struct material *m, const char *what, int result, const char *how)
{
    printf("FAILED: %s: %s (result %d)\nThe same again: --%s\n", m->name, what, result, how);
    (void)fflush(stdout);
    _exit(1);
}

static unsigned open_fds(void)
{
    _cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    return n;
}

static struct fault_account run(struct material *m, const struct fault_plan *plan, const char *how)
{
    struct fake_person person = {.answers = m->answers};
    char directory[128];
    const char *arguments[] = {directory};
    pam_handle_t *pamh = fake_pam_start(&person, "nobody");
    unsigned fds = open_fds();
    struct fault_account account;
    int r;

    (void)snprintf(directory, sizeof(directory), "directory=%s", m->daemon.directory);
    fault_begin(plan);
    r = pam_sm_authenticate(pamh, 0, 1, arguments);
    account = fault_end();
    if (r != m->result && (r == PAM_SUCCESS || r == PAM_IGNORE))
        failed(m, "opened", r, how);
    if (r < 0 || r >= RESULTS)
        failed(m, "no result of PAM", r, how);
    if (r != m->result && account.faults == 0)
        failed(m, "not what it must be without faults", r, how);
    if (open_fds() != fds)
        failed(m, "a descriptor is left", r, how);
    if (uselocale((locale_t)0) != LC_GLOBAL_LOCALE)
        failed(m, "the locale is not put back", r, how);
    fake_pam_end(pamh);
    tally.rounds++;
    tally.calls += account.calls;
    tally.faults += account.faults;
    tally.results[r]++;
    return account;
}

static void seeded(uint64_t seed, uint64_t rounds)
{
    for (size_t i = 0; i < ELEMENTS(materials); i++)
        for (uint64_t round = 0; round < rounds; round++) {
            const struct fault_plan plan = {.seed = seed * UINT64_C(1000003) + round * 97 + i, .one_in = ONE_IN};
            char how[96];

            (void)snprintf(how, sizeof(how), "seed %" PRIu64 " (round %" PRIu64 ")", seed, round);
            (void)run(&materials[i], &plan, how);
        }
}

/* Several ways to fail are drawn from the seed. */
static void every(void)
{
    for (size_t i = 0; i < ELEMENTS(materials); i++)
        for (uint64_t n = 1; n <= materials[i].calls; n++)
            for (uint64_t seed = 1; seed <= 4; seed++) {
                const struct fault_plan plan = {.seed = seed, .nth = n};
                char how[96];

                (void)snprintf(how, sizeof(how), "rounds 0 (%s, call %" PRIu64 ")", materials[i].name, n);
                (void)run(&materials[i], &plan, how);
            }
}

static int usage(void)
{
    fputs("usage: login [--seed N] [--rounds N]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'}, {"rounds", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    const struct fault_plan none = {0};
    uint64_t seed = 1, rounds = 500, *target;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        target = c == 's' ? &seed : c == 'r' ? &rounds : NULL;
        if (!target || text_to_u64(optarg, UINT32_MAX, target) < 0)
            return usage();
    }
    if (geteuid() != 0) {
        puts("SKIP: fault/login: only root can answer the module");
        return TEST_EXIT_SKIP;
    }
    (void)setenv("LANG", "ja_JP.UTF-8", 1);
    for (size_t i = 0; i < ELEMENTS(materials); i++) {
        fake_login_start(&materials[i].daemon, 0, materials[i].replies);
        (void)run(&materials[i], &none, "rounds 0");
        materials[i].calls = run(&materials[i], &none, "rounds 0").calls;
        printf("%s: %" PRIu64 " calls\n", materials[i].name, materials[i].calls);
    }
    seeded(seed, rounds);
    every();
    for (size_t i = 0; i < ELEMENTS(materials); i++) {
        (void)run(&materials[i], &none, "rounds 0"); /* nothing of it lasts */
        fake_login_stop(&materials[i].daemon);
    }
    printf("%" PRIu64 " logins: %" PRIu64 " calls, %" PRIu64 " failed; results", tally.rounds, tally.calls,
           tally.faults);
    for (int i = 0; i < RESULTS; i++)
        if (tally.results[i] > 0)
            printf(" %d:%" PRIu64, i, tally.results[i]);
    puts("");
    return tally.faults > 0 ? 0 : 1; /* without a fault nothing was tested */
}

/*
 * kuraban-courier(8). Owns: what a process is: whose rights it has, the cage. Started by root it holds the folder by name only, becomes the courier's
 * user, and opens it as that. Must not: run on as root, or without the cage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cage/cage.h"
#include "config/config.h"
#include "courier/courier.h"
#include "policy/findings.h"

enum {
    EXIT_USAGE = 2,
    WAIT_DEFAULT_S = 30,
    WAIT_LONGEST_S = 3600,
    FILES_MAX = 256,
};

static int become(const char *user)
{
    const struct passwd *p = getpwnam(user);

    if (!p || p->pw_uid == 0)
        return -ESRCH;
    if (geteuid() == p->pw_uid)
        return 0;
    if (geteuid() != 0)
        return -EPERM;
    if (setgroups(0, NULL) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0)
        return -errno;
    return 0;
}

/* It is the courier's alone, or nothing in it is believed. */
static int open_folder(int by_name)
{
    _cleanup_close_ int fd = openat(by_name, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return -EPERM;
    return TAKE_FD(fd);
}

static int limit(void)
{
    const struct rlimit files = {FILES_MAX, FILES_MAX}, none = {0, 0};

    return setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

static int enter(const struct config *config, int *ret_folder)
{
    _cleanup_close_ int by_name = -1;
    char path[4096];
    int r;

    (void)snprintf(path, sizeof(path), "%.4000s/courier", config->state_directory);
    by_name = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (by_name < 0)
        return -errno;
    r = become(config->courier_user);
    if (r >= 0)
        r = open_folder(by_name);
    if (r < 0)
        return r;
    *ret_folder = r;
    r = limit();
    return r < 0 ? r : cage_enter(CAGE_NETWORK);
}

static int run(const char *file, unsigned wait_max_s)
{
    struct policy_findings findings = {0};
    struct config *config = NULL;
    struct courier_options o = {.folder = -1, .wait_max_s = wait_max_s};
    int r = config_load(file, &findings, &config);

    if (r != 0) {
        log_error("start.failed", "part=configuration error=%s",
                  r < 0            ? strerrorname_np(-r)
                  : findings.n > 0 ? findings.items[0].message
                                   : "");
        policy_findings_done(&findings);
        return -EINVAL;
    }
    o.run_directory = config->run_directory;
    r = enter(config, &o.folder);
    if (r < 0)
        log_error("start.failed", "part=cage error=%s", strerrorname_np(-r));
    else
        r = courier_run(&o);
    policy_findings_done(&findings);
    (void)config_free(config);
    return r;
}

static void help(void)
{
    (void)puts("Usage: kuraban-courier [--config FILE] [--spread SECONDS] [--debug]\n"
               "\n"
               "Carries between this terminal and its centre. Its unit starts it.\n"
               "\n"
               "  --config FILE      kuraban's configuration (default /etc/kuraban/kuraban.yaml)\n"
               "  --spread SECONDS   before it connects: up to so long, at random (default 30)\n"
               "  --debug            log more\n"
               "  --version, --help\n"
               "\n"
               "See kuraban-courier(8).");
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'}, {"spread", required_argument, NULL, 's'},
        {"debug", no_argument, NULL, 'd'},        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    uint64_t spread = WAIT_DEFAULT_S;
    const char *file = NULL;
    int c;

    log_set_level(LOG_LEVEL_NOTICE);
    (void)signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
        switch (c) {
        case 'c':
            file = optarg;
            break;
        case 's':
            if (text_to_u64(optarg, WAIT_LONGEST_S, &spread) < 0)
                return EXIT_USAGE;
            break;
        case 'd':
            log_set_level(LOG_LEVEL_DEBUG);
            break;
        case 'V':
            (void)puts("kuraban-courier " KURABAN_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            help();
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    if (optind < argc) {
        (void)fprintf(stderr, "kuraban-courier: unexpected argument '%s'; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    return run(file, (unsigned)spread) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

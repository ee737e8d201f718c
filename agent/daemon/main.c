/*
 * kuraband: options and configuration, nothing else.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "daemon/kuraband.h"
#include "policy/findings.h"

enum {
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3
};

static const char help[] = "Usage: kuraband [--config FILE] [--foreground] [--check] [--debug]\n"
                           "\n"
                           "The guard of the terminal's data. It runs in the foreground; systemd starts it.\n"
                           "\n"
                           "  --config FILE   configuration (default " CONFIG_DEFAULT_PATH ")\n"
                           "  --foreground    accepted for clarity; there is no other way to run\n"
                           "  --check         read the configuration and say what is wrong with it\n"
                           "  --debug         log more\n"
                           "  --version, --help\n"
                           "\n"
                           "See kuraband(8).\n";

struct options {
    const char *config;
    bool check;
};

/* 0 go on; else 1 + exit status. */
static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'},
        {"foreground", no_argument, NULL, 'f'},
        {"check", no_argument, NULL, 'k'},
        {"debug", no_argument, NULL, 'd'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 'f':
            break;
        case 'k':
            ret->check = true;
            break;
        case 'd':
            log_set_level(LOG_LEVEL_DEBUG);
            break;
        case 'V':
            (void)puts("kuraband " KURABAN_VERSION);
            return 1;
        case 'h':
            (void)fputs(help, stdout);
            return 1;
        default:
            return 1 + EXIT_USAGE;
        }
    if (optind < argc) {
        (void)fprintf(stderr, "kuraband: unexpected argument '%s'; see --help\n", argv[optind]);
        return 1 + EXIT_USAGE;
    }
    return 0;
}

static struct config *load(const char *path)
{
    struct policy_findings findings = {0};
    struct config *config = NULL;
    int r = config_load(path, &findings, &config);

    if (r == CONFIG_E_INVALID)
        policy_findings_print(&findings, stderr, path ? path : CONFIG_DEFAULT_PATH, NULL, 0);
    else if (r < 0)
        (void)fprintf(stderr, "kuraband: %s: %s\n", path ? path : CONFIG_DEFAULT_PATH, strerror(-r));
    policy_findings_done(&findings);
    return config;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct config *config;
    int r = read_options(argc, argv, &options);

    if (r != 0)
        return r - 1;
    config = load(options.config);
    if (!config)
        return EXIT_CONFIG;
    if (options.check) {
        (void)config_free(config);
        return EXIT_SUCCESS;
    }
    if (geteuid() != 0) {
        (void)fputs("kuraband: must be root\n", stderr);
        (void)config_free(config);
        return EXIT_FAILURE;
    }
    r = kuraband_run(config);
    (void)config_free(config);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

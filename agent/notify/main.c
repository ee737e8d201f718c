/* kuraban-notify(1). */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/i18n.h"
#include "notify/notify.h"

enum {
    EXIT_USAGE = 2
};

static void help(void)
{
    (void)puts(_("Usage: kuraban-notify [--run-directory DIRECTORY] [--debug]\n"
                 "\n"
                 "Shows on the desktop what concerns you: that something was refused and why, and what you\n"
                 "have unlocked, until when, and that it ends. The desktop starts it at each login.\n"
                 "\n"
                 "  --run-directory DIRECTORY   where kuraband listens (default /run/kuraban)\n"
                 "  --debug                     log more\n"
                 "  --version, --help\n"
                 "\n"
                 "See kuraban-notify(1)."));
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"run-directory", required_argument, NULL, 'r'},
        {"debug", no_argument, NULL, 'd'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *run_directory = "/run/kuraban";
    int c;

    i18n_init();
    log_set_level(LOG_LEVEL_NOTICE);
    (void)signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
        switch (c) {
        case 'r':
            run_directory = optarg;
            break;
        case 'd':
            log_set_level(LOG_LEVEL_DEBUG);
            break;
        case 'V':
            (void)puts("kuraban-notify " KURABAN_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            help();
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    if (optind < argc) {
        (void)fprintf(stderr, _("kuraban-notify: unexpected argument “%s”; see --help\n"), argv[optind]);
        return EXIT_USAGE;
    }
    return notify_run(run_directory) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* kuraban(1). */
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/wiping.h"

int main(int argc, char **argv)
{
    struct cli c = {.out = stdout, .err = stderr, .sysfs = "/sys", .proc = "/proc"};
    enum cli_exit code;

    wiping_begin();
    i18n_init();
    code = cli_run(&c, argc, argv);
    cli_done(&c);
    /* An answer that did not reach its reader is no answer. */
    if (fflush(stdout) != 0 || ferror(stdout))
        code = CLI_FAILED;
    return (int)code;
}

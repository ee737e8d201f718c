/* kuraban(1). */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/wiping.h"

/* Answers may hold recovery codes. */
static char answer[BUFSIZ];

int main(int argc, char **argv)
{
    struct cli c = {.program = &cli_kuraban, .out = stdout, .err = stderr, .sysfs = "/sys", .proc = "/proc"};
    enum cli_exit code;

    (void)setvbuf(stdout, answer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof(answer));
    wiping_begin();
    i18n_init();
    code = cli_run(&c, argc, argv);
    cli_done(&c);
    /* An answer that did not reach its reader is no answer. */
    if (fflush(stdout) != 0 || ferror(stdout))
        code = CLI_FAILED;
    __fpurge(stdout); /* what could not be written is not tried again as zeros */
    OPENSSL_cleanse(answer, sizeof(answer));
    return (int)code;
}

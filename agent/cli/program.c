/* Owns: what a program with verbs does before and after its verb. Must not: leave an answer in memory, or call one given that was not. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/wiping.h"

/* Answers may hold recovery codes, or tokens. */
static char answer[BUFSIZ];

int cli_main(const struct cli_program *program, int argc, char **argv)
{
    struct cli c = {.program = program, .out = stdout, .err = stderr, .sysfs = "/sys", .proc = "/proc"};
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

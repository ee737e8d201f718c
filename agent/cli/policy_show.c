/* kuraban policy show: the document in force, as the daemon holds it. Root. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "ctl/protocol.h"

/* Byte for byte, so that it can be saved and its digest compared: it is the administrators' own text. */
static void text_policy(struct cli *c, const json_t *answer)
{
    const char *document = value_string(answer, "document");
    size_t size = strlen(document);

    (void)fputs(document, c->out);
    if (size > 0 && document[size - 1] != '\n')
        (void)fputc('\n', c->out);
}

enum cli_exit cli_policy_show(struct cli *c, const struct cli_arguments *a)
{
    json_t *answer = NULL;
    enum cli_exit code = ask(c, CTL_POLICY, NULL, &answer);

    (void)a;
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_policy);
    json_decref(answer);
    return CLI_OK;
}

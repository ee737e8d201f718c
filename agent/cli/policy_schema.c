/* kuraban policy schema: the JSON Schema of the policy document, for editors. The package ships the English one. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/i18n.h"
#include "json/whole.h"
#include "policy/schema.h"

enum cli_exit cli_policy_schema(struct cli *c, const struct cli_arguments *a)
{
    json_t *schema = NULL;
    int r = policy_schema(i18n_translate, &schema);

    (void)a;
    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        return CLI_FAILED;
    }
    r = whole_print(schema, JSON_INDENT(2) | JSON_PRESERVE_ORDER, c->out);
    if (r < 0 || fputc('\n', c->out) < 0) {
        cli_error(c, "%s", strerror(r < 0 ? -r : EIO));
        json_decref(schema);
        return CLI_FAILED;
    }
    json_decref(schema);
    return CLI_OK;
}

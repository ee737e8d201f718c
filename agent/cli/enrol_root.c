/* Owns: that a person says which root document rules here from now on. Must not: take one that was only shown. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/enrol.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "json/whole.h"

bool enrol_read_digest(const char *text, struct digest *ret)
{
    return digest_from_hex(text_starts(text, "sha256:") ? text + strlen("sha256:") : text, ret) == 0;
}

/* For people, also while the answer will be JSON. */
static void show(struct cli *c, const struct root_file *f, const char *fingerprint)
{
    json_t *answer = trust_show_root(f, NULL);
    FILE *out = c->out;

    c->out = c->err;
    trust_text_root(c, answer);
    (void)fprintf(c->out, "%s sha256:%s\n", _("Fingerprint:"), fingerprint);
    c->out = out;
    json_decref(answer);
}

static enum cli_exit read_newest(struct cli *c, const json_t *roots, struct root_file *ret)
{
    const json_t *newest = json_array_get(roots, json_array_size(roots) - 1);
    struct trust_complaint complaint = {.translate = i18n_translate};
    _cleanup_free_ char *text = NULL;
    int r;

    ret->path = "root";
    r = newest ? whole_text(newest, JSON_COMPACT, &text) : TRUST_E_NO_ROOT;
    if (r == 0)
        r = trust_envelope_parse((const uint8_t *)text, strlen(text), &ret->envelope, &complaint);
    if (r == 0)
        r = trust_root_parse(ret->envelope->payload, ret->envelope->size, &ret->root, &complaint);
    return r == 0 ? CLI_OK : trust_file_refused(c, ret->path, r, &complaint);
}

static enum cli_exit compare(struct cli *c, const struct digest *shown, const char *given)
{
    struct digest wanted;

    if (!given)
        return passphrase_confirm(
                   c, _("Compare the fingerprint with the one that “kuraban-hub root list” shows. From then on "
                        "nothing unsigned is accepted here. Install this root? Type “yes”: "))
                   ? CLI_OK
                   : CLI_NO;
    if (enrol_read_digest(given, &wanted) && digest_equal(&wanted, shown))
        return CLI_OK;
    cli_error(c, "%s", _("the centre's root document is another one than --root-id names; nothing was installed"));
    return CLI_NO;
}

enum cli_exit enrol_confirm_root(struct cli *c, const json_t *roots, const char *given,
                                 char ret[static DIGEST_HEX_SIZE])
{
    struct root_file f = {0};
    struct digest shown;
    enum cli_exit code = read_newest(c, roots, &f);

    if (code == CLI_OK && digest_bytes(f.envelope->payload, f.envelope->size, &shown) < 0)
        code = CLI_FAILED;
    if (code == CLI_OK) {
        digest_to_hex(&shown, ret);
        show(c, &f, ret);
        code = compare(c, &shown, given);
    }
    root_file_done(&f);
    return code;
}

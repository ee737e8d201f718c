/* kuraban-hub root: the root documents that terminals are handed. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/enrol/root_chain.h"
#include "hub/keys/keys.h"
#include "hub/store/roots.h"
#include "policy/trust/write.h"

/* --- add --- */

static void show_added(struct cli *c, const json_t *answer)
{
    char until[VALUE_TIME_SIZE];

    (void)fprintf(c->out, _("Root document version %lld is handed out to terminals, until %s. Its fingerprint:"),
                  (long long)value_number(answer, "version"), value_time(value_string(answer, "expires"), until));
    (void)fprintf(c->out, "\n\n    %s\n\n", value_string(answer, "fingerprint"));
    (void)fputs(_("Who enrols a terminal compares it there; it does not travel with the document."), c->out);
    (void)fputc('\n', c->out);
}

static enum cli_exit refused(struct cli *c, int result, const char *path, const struct root_chain_refusal *refusal)
{
    const char *file = cli_safe(c, path);

    switch (result) {
    case ROOT_CHAIN_E_REFUSED:
        cli_error(c, "%s: %s%s%s", file, _(trust_result_text(refusal->result)), *refusal->complaint.text ? ": " : "",
                  cli_safe(c, refusal->complaint.text));
        return CLI_NO;
    case ROOT_CHAIN_E_ORGANIZATION:
        cli_error(c, _("%s: for another organization than this centre"), file);
        return CLI_NO;
    case ROOT_CHAIN_E_HEAD:
        cli_error(c,
                  _("%s: this centre's online key does not have the role “head” in it by itself, so terminals would "
                    "take nothing from this centre; name head.pub with --head-key"),
                  file);
        return CLI_NO;
    case ROOT_CHAIN_E_KNOWN:
        cli_error(c, _("%s: handed out already"), file);
        return CLI_NO;
    default:
        return hub_failed(c, result);
    }
}

static int head_id(const struct centre *centre, struct digest *ret)
{
    _cleanup_close_ int keys = openat(centre->directory, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    uint8_t public[TRUST_PUBLIC_SIZE];
    EVP_PKEY *key = NULL;
    int r = keys < 0 ? -errno : hub_head_read(keys, &key);

    if (r == 0)
        r = trust_key_public(key, public);
    if (r == 0)
        r = trust_key_id(public, ret);
    EVP_PKEY_free(key);
    return r > 0 ? -EBADMSG : r;
}

static enum cli_exit add(struct cli *c, const struct centre *centre, const char *path)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct root_chain_refusal refusal = {.complaint = {.translate = i18n_translate}};
    struct root_chain_added added = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    char fingerprint[7 + DIGEST_HEX_SIZE] = "sha256:";
    struct digest head;
    size_t size = 0;
    json_t *answer;
    int r = files_read_at(AT_FDCWD, path, TRUST_BUNDLE_MAX, &bytes, &size);

    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerrordesc_np(-r));
        return CLI_FAILED;
    }
    r = head_id(centre, &head);
    if (r == 0)
        r = root_chain_add(centre->store, &actor, &head, bytes, size, &added, &refusal);
    if (r != ROOT_CHAIN_OK)
        return refused(c, r, path, &refusal);
    digest_to_hex(&added.fingerprint, fingerprint + 7);
    answer = json_pack("{s:I, s:I, s:o, s:s}", "version", (json_int_t)added.version, "added", (json_int_t)added.n,
                       "expires", hub_json_time(added.expires_us), "fingerprint", fingerprint);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_added);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_root_add(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);

    if (code != CLI_OK)
        return code;
    code = add(c, &centre, a->words[0]);
    centre_close(&centre);
    return code;
}

/* --- list --- */

static int add_item(void *context, const struct hub_root *root)
{
    char fingerprint[7 + DIGEST_HEX_SIZE] = "sha256:";
    struct trust_envelope *e = NULL;
    struct digest digest;
    json_t *item;
    int r = trust_envelope_parse(root->envelope, root->size, &e, NULL);

    if (r == 0)
        r = digest_bytes(e->payload, e->size, &digest);
    trust_envelope_free(e);
    if (r != 0)
        return r < 0 ? r : -EUCLEAN;
    digest_to_hex(&digest, fingerprint + 7);
    item = json_pack("{s:I, s:o, s:s}", "version", (json_int_t)root->version, "added", hub_json_time(root->added_us),
                     "fingerprint", fingerprint);
    return json_array_append_new(context, item) < 0 ? -ENOMEM : 0;
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(3);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("VERSION"), _("ADDED"), _("FINGERPRINT")});
    json_array_foreach(answer, i, item)
    {
        char number[24], when[VALUE_TIME_SIZE];

        (void)snprintf(number, sizeof(number), "%lld", (long long)value_number(item, "version"));
        table_add(t, (const char *[]){number, value_time(value_string(item, "added"), when),
                                      value_string(item, "fingerprint")});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit hub_cli_root_list(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    (void)a;
    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_root_each(centre.store, TRUST_ROOTS_MAX, add_item, items), items, show_list);
    json_decref(items);
    centre_close(&centre);
    return code;
}

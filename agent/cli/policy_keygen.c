/* kuraban policy keygen: a key for one person. The passphrase is known before any file exists, so that Ctrl-C leaves none. */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/key_file.h"
#include "cli/out_file.h"
#include "cli/passphrase.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "cli/value.h"

enum {
    OPTION_NAME,
    OPTION_OUT,
    OPTION_PASSPHRASE_FILE,
};

const struct cli_option cli_policy_keygen_options[] = {
    [OPTION_NAME] = {"name", "NAME", N_("whose key it is")},
    [OPTION_OUT] = {"out", "FILE", N_("a new file for the private key; FILE.pub is the public one")},
    [OPTION_PASSPHRASE_FILE] = {"passphrase-file", "FILE", N_("for machines: the passphrase is its first line")},
    {0},
};

struct making {
    const char *name, *private_path;
    char *public_path;
    char *private_pem, *public_pem, *public_text;
    struct digest id;
};

/* 0 or -errno. */
static int make(struct making *m, const struct passphrase *p)
{
    uint8_t public[TRUST_PUBLIC_SIZE];
    EVP_PKEY *key = NULL;
    int r = trust_key_generate(&key);

    if (r == 0)
        r = trust_key_write_private(key, p->text, &m->private_pem);
    if (r == 0)
        r = trust_key_write_public(key, &m->public_pem);
    if (r == 0)
        r = trust_key_public(key, public);
    if (r == 0)
        r = trust_key_id(public, &m->id);
    EVP_PKEY_free(key);
    if (r == 0 && !(m->public_text = public_key_text(m->name, m->public_pem)))
        r = -ENOMEM;
    return r > 0 ? -EIO : r;
}

/* Both files or none. */
static enum cli_exit write_files(struct cli *c, const struct making *m)
{
    enum cli_exit code = out_file_write(c, m->private_path, m->private_pem, strlen(m->private_pem), 0600, false);

    if (code != CLI_OK)
        return code;
    code = out_file_write(c, m->public_path, m->public_text, strlen(m->public_text), 0644, false);
    if (code != CLI_OK)
        (void)unlink(m->private_path);
    return code;
}

static void show_text(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Key of %s"), cli_safe(c, value_string(answer, "name")));
    (void)fprintf(c->out, "\n  %s\n", value_string(answer, "id"));
    (void)fprintf(c->out,
                  _("%s is the private key: it stays with its owner. %s is given to whoever writes the root document."),
                  cli_safe(c, value_string(answer, "private")), cli_safe(c, value_string(answer, "public")));
    (void)fputc('\n', c->out);
}

static enum cli_exit keygen(struct cli *c, struct making *m, const char *passphrase_file)
{
    struct passphrase *p = NULL;
    enum cli_exit code;
    json_t *answer;
    int r;

    passphrase_protect();
    code = passphrase_file ? passphrase_read_file(c, passphrase_file, &p) : passphrase_ask_new(c, &p);
    if (code == CLI_OK && !passphrase_is_long_enough(c, p))
        code = CLI_USAGE;
    if (code != CLI_OK) {
        (void)passphrase_free(p);
        return code;
    }
    r = make(m, p);
    (void)passphrase_free(p);
    if (r < 0) {
        cli_error(c, "%s", strerror(-r));
        return CLI_FAILED;
    }
    code = write_files(c, m);
    if (code != CLI_OK)
        return code;
    answer = json_pack("{s:s, s:s, s:s, s:s}", "id", trust_text_id(c, &m->id), "name", m->name, "private",
                       cli_safe(c, m->private_path), "public", cli_safe(c, m->public_path));
    cli_show(c, answer, show_text);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cli_policy_keygen(struct cli *c, const struct cli_arguments *a)
{
    struct making m = {.name = a->values[OPTION_NAME], .private_path = a->values[OPTION_OUT]};
    enum cli_exit code = CLI_FAILED;

    if (!m.name || !m.private_path)
        return cli_usage(c, _("--name and --out are needed"));
    if (!public_key_name_is_good(m.name))
        return cli_usage(c, _("a name is printable text of at most %d bytes"), TRUST_NAME_MAX);
    if (asprintf(&m.public_path, "%s.pub", m.private_path) < 0)
        return CLI_FAILED;
    if (out_file_is_free(c, m.private_path) && out_file_is_free(c, m.public_path))
        code = keygen(c, &m, a->values[OPTION_PASSPHRASE_FILE]);
    free(m.public_path);
    free(m.public_pem);
    free(m.public_text);
    (void)trust_secret_free(m.private_pem);
    return code;
}

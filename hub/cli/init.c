/* kuraban-hub init: a centre from nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "hub/cli/hub.h"

enum {
    OPTION_ORGANIZATION,
    OPTION_ADDRESS,
    OPTION_LISTEN,
    OPTION_HTTPS,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_CA,
};

enum {
    ADDRESS_SIZE = 64,
    HOST_SIZE = 256,
};

#define LISTEN_DEFAULT "0.0.0.0:4222"
#define HTTPS_DEFAULT "0.0.0.0:8443"

const struct cli_option hub_init_options[] = {
    [OPTION_ORGANIZATION] = {"organization", "NAME", N_("whose centre it is, as in the root document")},
    [OPTION_ADDRESS] = {"address", "HOST",
                        N_("name or address by which terminals reach it; may come again (this host)")},
    [OPTION_LISTEN] = {"listen", "IP:PORT", N_("where the broker listens (0.0.0.0:4222)")},
    [OPTION_HTTPS] = {"https", "IP:PORT", N_("where terminals are let in (0.0.0.0:8443)")},
    [OPTION_CERTIFICATE] = {"certificate", "FILE", N_("a server certificate instead of one by an own authority")},
    [OPTION_KEY] = {"key", "FILE", N_("its private key")},
    [OPTION_CA] = {"ca", "FILE", N_("the authority that it leads to")},
    {0},
};

/* What the options come to. */
struct wanted {
    struct centre_settings settings;
    const char *names[HUB_CA_NAMES_MAX + 1];
    char host[HOST_SIZE], listen[ADDRESS_SIZE], https[ADDRESS_SIZE];
    char *certificate, *key, *ca;
};

static void wanted_done(struct wanted *w)
{
    free(w->certificate);
    w->key = hub_ca_secret_free(w->key);
    free(w->ca);
}

/* --- options --- */

static enum cli_exit take_names(struct cli *c, const struct cli_arguments *a, struct wanted *w)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_given; i++) {
        if (a->given[i].option != OPTION_ADDRESS)
            continue;
        if (n == HUB_CA_NAMES_MAX)
            return cli_usage(c, _("at most %d addresses"), HUB_CA_NAMES_MAX);
        w->names[n++] = a->given[i].value;
    }
    if (n == 0 && gethostname(w->host, sizeof(w->host) - 1) == 0)
        w->names[n++] = w->host;
    for (size_t i = 0; i < n; i++)
        if (!hub_ca_name_is_good(w->names[i]))
            return cli_usage(c, _("“%s” is neither a host's name nor an address; --address HOST"),
                             cli_safe(c, w->names[i]));
    return CLI_OK;
}

/* "192.0.2.1:4222" or "[2001:db8::1]:4222". */
static bool take_listen(const char *text, char ret_address[static ADDRESS_SIZE], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    uint8_t bytes[16];
    uint64_t port = 0;

    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= ADDRESS_SIZE || text_to_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
        return false;
    memcpy(ret_address, text, length);
    ret_address[length] = '\0';
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, ret_address, bytes) != 1)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* As it is, to the last newline: it is written again. What holds a NUL is no PEM, and ends there. */
static enum cli_exit take_file(struct cli *c, const char *path, char **ret)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int r = files_read_at(AT_FDCWD, path, HUB_CA_PEM_MAX, &data, &size);

    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-r));
        return CLI_FAILED;
    }
    *ret = (char *)data;
    return CLI_OK;
}

static enum cli_exit take_certificates(struct cli *c, const struct cli_arguments *a, struct wanted *w)
{
    const char *certificate = a->values[OPTION_CERTIFICATE], *key = a->values[OPTION_KEY], *ca = a->values[OPTION_CA];
    enum cli_exit code;

    if (!certificate && !key && !ca)
        return CLI_OK;
    if (!certificate || !key || !ca)
        return cli_usage(c, _("--certificate, --key and --ca are given together"));
    code = take_file(c, certificate, &w->certificate);
    if (code == CLI_OK)
        code = take_file(c, key, &w->key);
    if (code == CLI_OK)
        code = take_file(c, ca, &w->ca);
    w->settings.certificate = w->certificate;
    w->settings.key = w->key;
    w->settings.ca = w->ca;
    return code;
}

static enum cli_exit take_options(struct cli *c, const struct cli_arguments *a, struct wanted *w)
{
    const char *organization = a->values[OPTION_ORGANIZATION];
    const char *listen = a->values[OPTION_LISTEN] ? a->values[OPTION_LISTEN] : LISTEN_DEFAULT;
    const char *https = a->values[OPTION_HTTPS] ? a->values[OPTION_HTTPS] : HTTPS_DEFAULT;
    enum cli_exit code;

    if (!organization)
        return cli_usage(c, _("--organization is needed: the name that stands in the root document"));
    if (!*organization || strlen(organization) > HUB_CA_ORGANIZATION_MAX || !text_is_printable_utf8(organization))
        return cli_usage(c, _("an organization is printable text of at most %d bytes"), HUB_CA_ORGANIZATION_MAX);
    if (!take_listen(listen, w->listen, &w->settings.port))
        return cli_usage(c, _("“%s” is no address and port; --listen 192.0.2.1:4222"), cli_safe(c, listen));
    if (!take_listen(https, w->https, &w->settings.https_port))
        return cli_usage(c, _("“%s” is no address and port; --https 192.0.2.1:8443"), cli_safe(c, https));
    w->settings.listen = w->listen;
    w->settings.https = w->https;
    code = take_names(c, a, w);
    if (code == CLI_OK)
        code = take_certificates(c, a, w);
    w->settings.directory = hub_place(c);
    w->settings.organization = organization;
    w->settings.names = w->names;
    return code;
}

/* --- answers --- */

static enum cli_exit bad_certificates(struct cli *c, const struct centre_complaint *complaint)
{
    static const char *const words[] = {
        [HUB_CA_E_CERTIFICATE] = N_("--certificate is no certificate in PEM"),
        [HUB_CA_E_KEY] = N_("--key is no private key in PEM, or it is behind a passphrase"),
        [HUB_CA_E_CA] = N_("--ca is not the certificate of one authority in PEM"),
        [HUB_CA_E_MISMATCH] = N_("the private key belongs to another certificate"),
        [HUB_CA_E_CHAIN] = N_("the certificate does not lead to the authority, or is not for a server"),
        [HUB_CA_E_EXPIRED] = N_("the certificate or its authority is over, or has not begun"),
        [HUB_CA_E_NAME] = N_("the certificate is not for this name"),
        [HUB_CA_E_WEAK] = N_("a key or a signature is too weak"),
    };
    size_t i = (size_t)complaint->verdict;
    const char *word = i < ELEMENTS(words) && words[i] ? words[i] : NULL;

    if (!word)
        return hub_failed(c, -EIO);
    if (complaint->detail && *complaint->detail)
        cli_error(c, "%s: %s", _(word), cli_safe(c, complaint->detail));
    else
        cli_error(c, "%s", _(word));
    return CLI_FAILED;
}

static void show_text(struct cli *c, const json_t *answer)
{
    const char *directory = cli_safe(c, value_string(answer, "directory"));

    (void)fprintf(c->out, _("The centre of %s is in %s."), cli_safe(c, value_string(answer, "organization")),
                  directory);
    (void)fprintf(c->out, "\n\n%s\n", _("What to do next:"));
    (void)fprintf(c->out, _("1. Whoever writes the root document gives the role “head” to the key in %s/head.pub:"),
                  directory);
    (void)fprintf(c->out, "\n     %s\n", value_string(answer, "head-id"));
    (void)fputs(_("2. Terminals are given this pin with their token; write it down:"), c->out);
    (void)fprintf(c->out, "\n     %s\n", value_string(answer, "ca-pin"));
    (void)fprintf(c->out, _("3. Start the broker: nats-server -c %s/nats/nats.conf"), directory);
    (void)fprintf(
        c->out, "\n%s\n",
        _("4. Make a group and a token: kuraban-hub group create NAME; kuraban-hub token create --group NAME"));
    (void)fprintf(c->out, _("5. Keep a copy of %s/keys where no network reaches it."), directory);
    (void)fputc('\n', c->out);
}

static enum cli_exit show(struct cli *c, const struct wanted *w, const struct centre_made *made)
{
    char id[DIGEST_HEX_SIZE];
    json_t *answer;

    digest_to_hex(&made->head_id, id);
    answer = json_pack("{s:s, s:s, s:s, s:s, s:s}", "directory", made->directory, "organization",
                       w->settings.organization, "head-id", id, "head-public", made->head_public, "ca-pin", made->pin);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_text);
    json_decref(answer);
    return CLI_OK;
}

static enum cli_exit make(struct cli *c, const struct wanted *w)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre_complaint complaint = {0};
    struct centre_made made = {0};
    sigset_t all, before;
    enum cli_exit code;
    int r;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    r = centre_create(&w->settings, &actor, &made, &complaint);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (r == CENTRE_E_CERTIFICATES)
        return bad_certificates(c, &complaint);
    if (r == CENTRE_E_NOT_EMPTY || r == CENTRE_E_BUSY) {
        cli_error(c,
                  r == CENTRE_E_BUSY ? _("%s is being made by another process")
                                     : _("%s is not empty; a centre is made once"),
                  cli_safe(c, hub_place(c)));
        return CLI_FAILED;
    }
    if (r != CENTRE_OK)
        return hub_failed(c, r);
    code = show(c, w, &made);
    centre_made_done(&made);
    return code;
}

enum cli_exit hub_cli_init(struct cli *c, const struct cli_arguments *a)
{
    struct wanted w = {0};
    enum cli_exit code = take_options(c, a, &w);

    if (code == CLI_OK)
        code = make(c, &w);
    wanted_done(&w);
    return code;
}

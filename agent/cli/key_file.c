/*
 * Owns: keys as files and URIs for the verbs that sign: public ones with a name, private ones behind a passphrase. Must not: sign,
 * or accept a private key that lies about unencrypted.
 */
#include "cli/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"

#define NAME_FIELD "Name: "

enum {
    ATTEMPTS = 3
};

/* --- public keys --- */

void public_key_done(struct public_key *k)
{
    free(k->name);
    *k = (struct public_key){0};
}

bool public_key_name_is_good(const char *name)
{
    return *name && strlen(name) <= TRUST_NAME_MAX && text_is_printable_utf8(name);
}

char *public_key_text(const char *name, const char *pem)
{
    char *text = NULL;

    return asprintf(&text, NAME_FIELD "%s\n%s", name, pem) < 0 ? NULL : text;
}

/* Cuts the line with the name off the front; NULL: there is none. */
static char *take_name(const char *text, const char **ret_rest)
{
    const char *end = strchr(text, '\n');

    *ret_rest = text;
    if (!text_starts(text, NAME_FIELD) || !end)
        return NULL;
    *ret_rest = end + 1;
    return strndup(text + strlen(NAME_FIELD), (size_t)(end - text) - strlen(NAME_FIELD));
}

static enum cli_exit no_public_key(struct cli *c, const char *path, int result)
{
    cli_error(c, "%s: %s", cli_safe(c, path),
              result == TRUST_KEY_E_KIND   ? _("this is a key, but not an Ed25519 one")
              : result == TRUST_KEY_E_WEAK ? _("this key is weak: everybody could sign for it; make another")
                                           : _("this is not a public key file; “policy keygen” writes one, FILE.pub"));
    return CLI_FAILED;
}

enum cli_exit public_key_read(struct cli *c, const char *path, struct public_key *ret)
{
    _cleanup_free_ char *text = NULL, *name = NULL;
    const char *pem = NULL;
    struct public_key k = {0};
    int r = files_read_text_at(AT_FDCWD, path, TRUST_KEY_PEM_MAX, &text);

    if (r < 0 && r != -EBADMSG && r != -EFBIG) {
        cli_error(c, "%s: %s", cli_safe(c, path), r == -EINVAL ? _("this is not a regular file") : strerror(-r));
        return CLI_FAILED;
    }
    if (r < 0)
        return no_public_key(c, path, TRUST_KEY_E_NONE);
    name = take_name(text, &pem);
    r = trust_key_read_public((const uint8_t *)pem, strlen(pem), k.bytes);
    if (r > 0)
        return no_public_key(c, path, r);
    if (r == 0)
        r = trust_key_id(k.bytes, &k.id);
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-r));
        return CLI_FAILED;
    }
    if (!name || !public_key_name_is_good(name)) {
        cli_error(c, _("%s: the first line must say whose key it is: “Name: …”"), cli_safe(c, path));
        return CLI_FAILED;
    }
    k.name = TAKE_PTR(name);
    *ret = k;
    return CLI_OK;
}

/* --- private keys --- */

/* What the callback of OSSL_STORE needs and what it came to. */
struct opening {
    struct cli *c;
    const char *uri;
    const char *passphrase_file;
    bool asked;
    enum cli_exit code; /* of asking */
};

/* The file of a path or a file: URI; -ENOENT as well for the URI of a token. */
static int stat_key(const char *uri, struct stat *ret)
{
    const char *path = text_starts(uri, "file:") ? uri + strlen("file:") : uri;

    if (path != uri && text_starts(path, "//"))
        path += strcspn(path + 2, "/") + 2;
    return stat(path, ret) < 0 ? -errno : 0;
}

/* Encrypted or not, what others can copy they can try passphrases on at home. */
static enum cli_exit check_mode(struct cli *c, const char *uri)
{
    struct stat st;

    if (stat_key(uri, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & (S_IRWXG | S_IRWXO)))
        return CLI_OK;
    cli_error(c,
              _("%s: others can read this private key or change it; “chmod 600” closes it, on a stick without "
                "permissions the mount option umask=077"),
              cli_safe(c, uri));
    return CLI_NOT_PERMITTED;
}

static int give_passphrase(void *context, char *buffer, size_t size)
{
    struct opening *o = context;
    struct passphrase *p = NULL;
    char prompt[256];
    int n = -1;

    o->asked = true;
    o->code = check_mode(o->c, o->uri);
    if (o->code != CLI_OK)
        return -1;
    (void)snprintf(prompt, sizeof(prompt), _("Passphrase of %s: "), cli_safe(o->c, o->uri));
    o->code =
        o->passphrase_file ? passphrase_read_file(o->c, o->passphrase_file, &p) : passphrase_ask(o->c, prompt, &p);
    if (o->code != CLI_OK)
        return -1;
    if (p->size <= size) {
        memcpy(buffer, p->text, p->size);
        n = (int)p->size;
    }
    (void)passphrase_free(p);
    return n;
}

static enum cli_exit not_loaded(struct cli *c, const char *uri, int result)
{
    const char *message = result == TRUST_KEY_E_KIND         ? _("this is a key, but not an Ed25519 one")
                          : result == TRUST_KEY_E_PASSPHRASE ? _("the passphrase does not open this key")
                          : result == TRUST_KEY_E_NONE       ? _("there is no private key here")
                                                             : strerror(-result);

    cli_error(c, "%s: %s", cli_safe(c, uri), message);
    if (result == TRUST_KEY_E_NONE && text_starts(uri, "pkcs11:"))
        cli_error(c, _("is a provider for pkcs11: installed and named in openssl.cnf, and the token plugged in?"));
    return CLI_FAILED;
}

/* One attempt: 0, a result of trust_key_load_private(), or its -errno. */
static int load_once(struct opening *o, EVP_PKEY **ret)
{
    o->asked = false;
    o->code = CLI_OK;
    return trust_key_load_private(o->uri, give_passphrase, o, ret);
}

/* A token counts wrong PINs and locks itself: each attempt is a new call. */
static enum cli_exit load(struct opening *o, EVP_PKEY **ret)
{
    struct stat st;
    int r = stat_key(o->uri, &st), attempts = r == 0 && !o->passphrase_file ? ATTEMPTS : 1;

    if (r < 0 && (r != -ENOENT || !strchr(o->uri, ':') || text_starts(o->uri, "file:"))) {
        cli_error(o->c, "%s: %s", cli_safe(o->c, o->uri), strerror(-r));
        return CLI_FAILED;
    }
    for (int i = 0; i < attempts; i++) {
        r = load_once(o, ret);
        if (o->code != CLI_OK)
            return o->code;
        if (r == 0)
            return CLI_OK;
        (void)not_loaded(o->c, o->uri, r);
        if (r != TRUST_KEY_E_PASSPHRASE)
            break;
    }
    return CLI_FAILED;
}

enum cli_exit private_key_load(struct cli *c, const char *uri, const char *passphrase_file, EVP_PKEY **ret,
                               struct digest *ret_id)
{
    struct opening o = {.c = c, .uri = uri, .passphrase_file = passphrase_file};
    uint8_t public[TRUST_PUBLIC_SIZE];
    EVP_PKEY *key = NULL;
    struct stat st;
    enum cli_exit code;
    int r;

    if (text_starts(uri, "pkcs11:") && strstr(uri, "pin-value="))
        return cli_usage(c, _("a PIN in the URI can be read by others; it is asked, or read with --passphrase-file"));
    passphrase_protect();
    code = load(&o, &key);
    if (code != CLI_OK)
        return code;
    /* A file that opens without a word opens for whoever finds it. A token guards its keys itself. */
    if (!o.asked && stat_key(uri, &st) == 0) {
        cli_error(c, _("%s: this private key is not encrypted; “openssl pkcs8 -topk8 -scrypt” encrypts it"),
                  cli_safe(c, uri));
        EVP_PKEY_free(key);
        return CLI_NOT_PERMITTED;
    }
    r = trust_key_public(key, public);
    if (r == 0)
        r = trust_key_id(public, ret_id);
    if (r != 0) {
        EVP_PKEY_free(key);
        return not_loaded(c, uri, r);
    }
    *ret = key;
    return CLI_OK;
}

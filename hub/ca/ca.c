/*
 * Owns: the centre's own authority and the certificates it issues.
 * Must not: sign for a name it was not made for, or for another authority.
 */
#include "hub/ca/ca.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "hub/ca/internal.h"

enum {
    SERIAL_SIZE = 16, /* bytes at random, RFC 5280 4.1.2.2 wants a positive number */
    LIST_SIZE = HUB_CA_NAMES_MAX * 300 + 512,
    LATE_S = 24 * 3600, /* a terminal's clock may be that late */
    DAY_S = 24 * 3600,
};

static const char *const own_names[] = {"localhost", "127.0.0.1", "::1", NULL};

/* --- names --- */

size_t hub_ca_address(const char *name, uint8_t ret[static 16])
{
    return inet_pton(AF_INET, name, ret) == 1 ? 4 : inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

/* RFC 1123 2.1: parts of 1 to 63 letters, digits and inner "-". */
static bool dns_name_is_good(const char *name)
{
    size_t length = strlen(name), part = 0;

    if (length == 0 || length > HUB_CA_NAME_MAX)
        return false;
    for (const char *c = name; *c; c++) {
        if (*c == '.' ? part == 0 || c[-1] == '-' : !isascii(*c) || !(isalnum((unsigned char)*c) || *c == '-'))
            return false;
        if (*c == '-' && part == 0)
            return false;
        part = *c == '.' ? 0 : part + 1;
        if (part > 63)
            return false;
    }
    /* What ends in a number is meant as an address, and is none. */
    return part > 0 && name[length - 1] != '-' && !isdigit((unsigned char)name[length - 1]);
}

bool hub_ca_name_is_good(const char *name)
{
    uint8_t bytes[16];

    return hub_ca_address(name, bytes) > 0 || dns_name_is_good(name);
}

static int add_name(char *list, size_t size, const char *name, bool constraint)
{
    static const char *const masks[] = {"255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    uint8_t bytes[16];
    size_t address = hub_ca_address(name, bytes), used = strlen(list);
    int n;

    if (!address && !dns_name_is_good(name))
        return -EINVAL;
    n = snprintf(list + used, size - used, "%s%s%s:%s%s%s", used > 0 ? "," : "", constraint ? "permitted;" : "",
                 address ? "IP" : "DNS", name, constraint && address ? "/" : "",
                 constraint && address ? masks[address == 16] : "");
    return n < 0 || (size_t)n >= size - used ? -EINVAL : 0;
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (text_equal(*names, name))
            return true;
    return false;
}

/* In the words of x509v3_config(5); a name holds no character that means something there. */
static int list_names(const char *const *names, bool constraint, char ret[static LIST_SIZE])
{
    size_t n = 0;
    int r = 0;

    *ret = '\0';
    for (; r >= 0 && names[n]; n++)
        r = n < HUB_CA_NAMES_MAX ? add_name(ret, LIST_SIZE, names[n], constraint) : -EINVAL;
    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; r >= 0 && own_names[i]; i++)
        if (!is_among(own_names[i], names))
            r = add_name(ret, LIST_SIZE, own_names[i], constraint);
    return r;
}

/* --- certificates --- */

static int add_extension(X509 *x, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, context, nid, value);
    int done = e ? X509_add_ext(x, e, -1) : 0;

    X509_EXTENSION_free(e);
    return done == 1 ? 0 : -EIO;
}

static int set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_SIZE];
    BIGNUM *number;
    int r = -EIO;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -EIO;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    if (number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)))
        r = 0;
    BN_free(number);
    return r;
}

static int set_name(X509_NAME *name, const char *organization, const char *common)
{
    if (organization && X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                                   (const unsigned char *)organization, -1, -1, 0) != 1)
        return -EINVAL;
    if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)common, -1, -1, 0) != 1)
        return -EINVAL;
    return 0;
}

static int set_times(X509 *x, int64_t now_s, int days)
{
    time_t now = (time_t)now_s;

    return X509_time_adj_ex(X509_getm_notBefore(x), 0, -LATE_S, &now) &&
                   X509_time_adj_ex(X509_getm_notAfter(x), days, 0, &now)
               ? 0
               : -EIO;
}

/* A certificate for key, with everything but name and extensions. */
static int begin(EVP_PKEY *key, int64_t now_s, int days, X509 **ret)
{
    X509 *x = X509_new();
    int r = x && X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, key) == 1 ? 0 : -EIO;

    if (r >= 0)
        r = set_serial(x);
    if (r >= 0)
        r = set_times(x, now_s, days);
    if (r < 0)
        X509_free(x);
    else
        *ret = x;
    return r;
}

struct extension {
    int nid;
    const char *value;
};

static int add_extensions(X509 *x, X509 *issuer, const struct extension *extensions)
{
    X509V3_CTX context;
    int r = 0;

    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    for (; r >= 0 && extensions->value; extensions++)
        r = add_extension(x, &context, extensions->nid, extensions->value);
    return r;
}

/* A common name is 64 characters at most (RFC 5280 A.1); what it says is for people. */
static int build_ca(struct hub_ca *ca, const char *organization, const char *const *names, int64_t now_s)
{
    char constraints[LIST_SIZE + 16] = "critical,";
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"},
        {NID_name_constraints, constraints},
        {0, NULL},
    };
    X509_NAME *name;
    int r = list_names(names, true, constraints + strlen(constraints));

    if (r >= 0)
        r = begin(ca->key, now_s, HUB_CA_YEARS * 3653 / 10, &ca->certificate);
    if (r < 0)
        return r;
    name = X509_get_subject_name(ca->certificate);
    r = set_name(name, organization, "kuraban CA");
    if (r >= 0)
        r = X509_set_issuer_name(ca->certificate, name) == 1 ? 0 : -EIO;
    if (r >= 0)
        r = add_extensions(ca->certificate, ca->certificate, extensions);
    return r < 0 ? r : X509_sign(ca->certificate, ca->key, EVP_sha256()) > 0 ? 0 : -EIO;
}

int hub_ca_new(const char *organization, const char *const *names, int64_t now_s, struct hub_ca **ret)
{
    struct hub_ca *ca;
    int r;

    if (!*organization || !text_is_printable_utf8(organization))
        return -EINVAL;
    ca = calloc(1, sizeof(*ca));
    if (!ca)
        return -ENOMEM;
    ca->key = EVP_EC_gen("P-256");
    r = ca->key ? build_ca(ca, organization, names, now_s) : -EIO;
    if (r >= 0)
        *ret = TAKE_PTR(ca);
    (void)hub_ca_free(ca);
    return r;
}

int hub_ca_read(const char *certificate, const char *key, struct hub_ca **ret)
{
    struct hub_ca *ca = calloc(1, sizeof(*ca));
    int r = -EBADMSG;

    if (!ca)
        return -ENOMEM;
    ca->certificate = hub_pem_read_certificate(certificate);
    ca->key = hub_pem_read_key(key);
    if (ca->certificate && ca->key && X509_check_ca(ca->certificate) == 1 &&
        X509_check_private_key(ca->certificate, ca->key) == 1)
        r = 0;
    if (r >= 0)
        *ret = TAKE_PTR(ca);
    (void)hub_ca_free(ca);
    return r;
}

struct hub_ca *hub_ca_free(struct hub_ca *ca)
{
    if (ca) {
        X509_free(ca->certificate);
        EVP_PKEY_free(ca->key);
        free(ca);
    }
    return NULL;
}

int hub_ca_certificate(const struct hub_ca *ca, char **ret)
{
    return hub_pem_certificate(ca->certificate, ret);
}

int hub_ca_key(const struct hub_ca *ca, char **ret)
{
    return hub_pem_key(ca->key, ret);
}

/* clientAuth: the servers of a cluster call each other. */
static int build_server(const struct hub_ca *ca, EVP_PKEY *key, const char *const *names, int64_t now_s, X509 **ret)
{
    char alternatives[LIST_SIZE];
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth,clientAuth"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid"},
        {NID_subject_alt_name, alternatives},
        {0, NULL},
    };
    X509 *x = NULL;
    int r = list_names(names, false, alternatives);

    if (r >= 0)
        r = begin(key, now_s, HUB_CA_SERVER_DAYS, &x);
    if (r >= 0)
        r = set_name(X509_get_subject_name(x), NULL, "kuraban-hub");
    if (r >= 0)
        r = X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 ? 0 : -EIO;
    if (r >= 0)
        r = add_extensions(x, ca->certificate, extensions);
    if (r >= 0)
        r = X509_sign(x, ca->key, EVP_sha256()) > 0 ? 0 : -EIO;
    if (r < 0)
        X509_free(x);
    else
        *ret = x;
    return r;
}

int hub_ca_issue(const struct hub_ca *ca, const char *const *names, int64_t now_s, char **ret_certificate,
                 char **ret_key)
{
    _cleanup_(hub_ca_secret_freep) char *text = NULL;
    _cleanup_free_ char *certificate = NULL, *authority = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = NULL;
    int r = key ? build_server(ca, key, names, now_s, &x) : -EIO;

    if (r >= 0)
        r = hub_pem_certificate(x, &certificate);
    if (r >= 0)
        r = hub_pem_key(key, &text);
    if (r >= 0)
        r = hub_ca_certificate(ca, &authority);
    /* A name outside of the authority's, or an authority that is over, shows here rather than at every terminal. */
    if (r >= 0)
        r = hub_ca_check(certificate, text, authority, names, now_s, NULL);
    X509_free(x);
    EVP_PKEY_free(key);
    if (r != 0)
        return r < 0 ? r : -EINVAL;
    *ret_certificate = TAKE_PTR(certificate);
    *ret_key = TAKE_PTR(text);
    return 0;
}

/*
 * Owns: the judgement of certificates that somebody gave: that a terminal would take them.
 * Must not: say yes before everything was looked at.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "hub/ca/internal.h"

enum {
    SECURITY_LEVEL = 2, /* 112 bits, no SHA-1 (X509_VERIFY_PARAM_set_auth_level) */
};

struct given {
    X509 *certificate, *ca;
    EVP_PKEY *key;
    STACK_OF(X509) * between; /* what stands behind the certificate */
};

static void given_done(struct given *g)
{
    X509_free(g->certificate);
    X509_free(g->ca);
    EVP_PKEY_free(g->key);
    sk_X509_pop_free(g->between, X509_free);
}

/* All certificates of a text but the first. */
static int read_between(const char *text, STACK_OF(X509) * ret)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *x;
    int n = 0;

    if (!bio)
        return -ENOMEM;
    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (n++ > 0 && sk_X509_push(ret, x) > 0)
            continue;
        X509_free(x);
        if (n > 1)
            break; /* no memory */
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end is an error too */
    return x ? -ENOMEM : 0;
}

static int read_given(const char *certificate, const char *key, const char *ca, struct given *ret)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    int r;

    ret->between = sk_X509_new_null();
    if (!others || !ret->between) {
        sk_X509_free(others);
        return -ENOMEM;
    }
    ret->certificate = hub_pem_read_certificate(certificate);
    ret->key = hub_pem_read_key(key);
    ret->ca = hub_pem_read_certificate(ca);
    r = read_between(certificate, ret->between);
    if (r >= 0)
        r = read_between(ca, others);
    if (r >= 0)
        r = !ret->certificate                                         ? HUB_CA_E_CERTIFICATE
            : !ret->key                                               ? HUB_CA_E_KEY
            : !ret->ca || sk_X509_num(others) > 0                     ? HUB_CA_E_CA
            : X509_check_ca(ret->ca) != 1                             ? HUB_CA_E_CA
            : X509_check_private_key(ret->certificate, ret->key) != 1 ? HUB_CA_E_MISMATCH
                                                                      : HUB_CA_GOOD;
    sk_X509_pop_free(others, X509_free);
    ERR_clear_error();
    return r;
}

static enum hub_ca_verdict verdict_of(int error)
{
    switch (error) {
    case X509_V_OK:
        return HUB_CA_GOOD;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return HUB_CA_E_EXPIRED;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return HUB_CA_E_WEAK;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        return HUB_CA_E_NAME;
    default:
        return HUB_CA_E_CHAIN;
    }
}

static int verify_chain(const struct given *g, int64_t now_s, const char **ret_detail)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int r = -ENOMEM;

    if (store && context && X509_STORE_add_cert(store, g->ca) == 1 &&
        X509_STORE_CTX_init(context, store, g->certificate, g->between) == 1) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(context);

        X509_VERIFY_PARAM_set_time(p, (time_t)now_s);
        X509_VERIFY_PARAM_set_auth_level(p, SECURITY_LEVEL);
        /* No partial chain: what terminals link takes none either. */
        (void)X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
        r = X509_verify_cert(context) == 1 ? HUB_CA_GOOD : (int)verdict_of(X509_STORE_CTX_get_error(context));
        if (r != HUB_CA_GOOD)
            *ret_detail = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
        /* Refused without a reason is refused. */
        if (r == HUB_CA_GOOD && X509_STORE_CTX_get_error(context) != X509_V_OK)
            r = HUB_CA_E_CHAIN;
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return r;
}

static int check_names(X509 *certificate, const char *const *names, const char **ret_detail)
{
    uint8_t bytes[16];

    for (; *names; names++) {
        size_t address = hub_ca_address(*names, bytes);
        int fits = address ? X509_check_ip(certificate, bytes, address, 0)
                           : X509_check_host(certificate, *names, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL);

        if (fits != 1) {
            *ret_detail = *names;
            return HUB_CA_E_NAME;
        }
    }
    return HUB_CA_GOOD;
}

int hub_ca_check(const char *certificate, const char *key, const char *ca, const char *const *names, int64_t now_s,
                 const char **ret_detail)
{
    const char *detail = "";
    struct given g = {0};
    int r = read_given(certificate, key, ca, &g);

    if (r == HUB_CA_GOOD)
        r = verify_chain(&g, now_s, &detail);
    if (r == HUB_CA_GOOD)
        r = check_names(g.certificate, names, &detail);
    given_done(&g);
    if (ret_detail)
        *ret_detail = detail;
    return r;
}

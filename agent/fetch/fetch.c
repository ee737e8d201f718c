/*
 * Owns: one request to the centre, and whose answer it is.
 * Must not: believe an authority that nobody pinned, or say anything before it has verified whom it speaks with.
 */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

enum {
    CONNECT_S = 15,
    WHOLE_S = 60,
    CHAIN_MAX = 16, /* certificates */
};

static const char *const names[FETCH_RESULT_COUNT_] = {
    [FETCH_OK] = "ok",
    [FETCH_E_ADDRESS] = "address",
    [FETCH_E_CONNECT] = "connect",
    [FETCH_E_TIMEOUT] = "timeout",
    [FETCH_E_TLS] = "tls",
    [FETCH_E_PIN] = "pin",
    [FETCH_E_CERTIFICATE] = "certificate",
    [FETCH_E_ANSWER] = "answer",
};

const char *fetch_result_name(enum fetch_result r)
{
    return (unsigned)r < FETCH_RESULT_COUNT_ ? names[r] : "unknown";
}

int fetch_begin(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

/* --- one connection --- */

static size_t take(char *bytes, size_t one, size_t size, void *context)
{
    return buf_add(context, bytes, one * size) < 0 ? 0 : size;
}

static int result_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return FETCH_OK;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FETCH_E_ADDRESS;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return FETCH_E_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_E_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
        return FETCH_E_CERTIFICATE;
    case CURLE_SSL_CONNECT_ERROR:
        return FETCH_E_TLS;
    default:
        return FETCH_E_ANSWER;
    }
}

static int set_common(CURL *c, const char *url, struct buf *body, char *detail)
{
    static const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_CONNECTTIMEOUT, CONNECT_S},
        {CURLOPT_TIMEOUT, WHOLE_S},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    };
    CURLcode code = curl_easy_setopt(c, CURLOPT_URL, url);

    for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(numbers); i++)
        code = curl_easy_setopt(c, numbers[i].option, numbers[i].value);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_PROXY, "");
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
    return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

static int url_of(const char *hub, const char *path, char ret[static FETCH_URL_MAX])
{
    int n;

    if (!text_starts(hub, "https://") || strpbrk(hub + strlen("https://"), "/@?#\\ "))
        return FETCH_E_ADDRESS;
    n = snprintf(ret, FETCH_URL_MAX, "%s%s", hub, path);
    return n < 0 || n >= FETCH_URL_MAX ? FETCH_E_ADDRESS : FETCH_OK;
}

/* --- the authority --- */

static int has_pin(X509 *x, const struct digest *pin)
{
    unsigned char *der = NULL;
    struct digest digest;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der), r;

    if (size <= 0)
        return -EIO;
    r = digest_bytes(der, (size_t)size, &digest);
    OPENSSL_free(der);
    return r < 0 ? r : digest_equal(&digest, pin);
}

/* 1 it is the authority; 0 it is another certificate. */
static int is_authority(const char *pem, const struct digest *pin)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int r = x ? has_pin(x, pin) : 0;

    if (r > 0 && X509_check_ca(x) < 1)
        r = 0;
    X509_free(x);
    BIO_free(bio);
    return r;
}

static int pick(CURL *c, const struct digest *pin, char **ret)
{
    struct curl_certinfo *shown = NULL;

    if (curl_easy_getinfo(c, CURLINFO_CERTINFO, &shown) != CURLE_OK || !shown)
        return FETCH_E_PIN;
    for (int i = 0; i < shown->num_of_certs && i < CHAIN_MAX; i++)
        for (const struct curl_slist *item = shown->certinfo[i]; item; item = item->next) {
            const char *pem = item->data + strlen("Cert:");
            int r;

            if (!text_starts(item->data, "Cert:") || strlen(pem) > FETCH_PEM_MAX)
                continue;
            r = is_authority(pem, pin);
            if (r < 0)
                return r;
            if (r > 0) {
                *ret = strdup(pem);
                return *ret ? FETCH_OK : -ENOMEM;
            }
        }
    return FETCH_E_PIN;
}

/* The handshake and nothing else. */
static int look(CURL *c, const char *url, const struct digest *pin, char **ret, char *detail)
{
    static const CURLoption off[] = {CURLOPT_SSL_VERIFYPEER, CURLOPT_SSL_VERIFYHOST},
                            on[] = {CURLOPT_CERTINFO, CURLOPT_CONNECT_ONLY};
    struct buf none;
    int r;

    buf_init(&none, 0);
    r = set_common(c, url, &none, detail);
    for (size_t i = 0; r == 0 && i < ELEMENTS(off); i++)
        if (curl_easy_setopt(c, off[i], 0L) != CURLE_OK || curl_easy_setopt(c, on[i], 1L) != CURLE_OK)
            r = -EIO;
    if (r == 0)
        r = result_of(curl_easy_perform(c));
    buf_done(&none);
    return r == FETCH_OK ? pick(c, pin, ret) : r;
}

int fetch_authority(const char *hub, const struct digest *pin, char **ret, char detail[static FETCH_DETAIL_SIZE])
{
    char url[FETCH_URL_MAX];
    CURL *c;
    int r = url_of(hub, "/", url);

    *detail = '\0';
    if (r != FETCH_OK)
        return r;
    c = curl_easy_init();
    r = c ? look(c, url, pin, ret, detail) : -ENOMEM;
    curl_easy_cleanup(c);
    return r;
}

/* --- the request --- */

static int set_request(CURL *c, const char *ca, struct curl_slist *headers, const void *body, size_t size)
{
    struct curl_blob blob = {.data = (void *)ca, .len = strlen(ca), .flags = CURL_BLOB_COPY};

    return curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
                   curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                   curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                   curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
                   curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)size) == CURLE_OK &&
                   curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) == CURLE_OK
               ? 0
               : -EIO;
}

static int perform(CURL *c, struct buf *got, struct fetch_answer *ret)
{
    struct fetch_answer a = {0};
    int r = result_of(curl_easy_perform(c));

    if (r != FETCH_OK)
        return r;
    if (curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a.status) != CURLE_OK ||
        memchr(got->size > 0 ? (const char *)got->data : "", '\0', got->size))
        return FETCH_E_ANSWER;
    a.body = text_copy(got->size > 0 ? (const char *)got->data : "", got->size);
    a.size = got->size;
    if (!a.body)
        return -ENOMEM;
    *ret = a;
    return FETCH_OK;
}

int fetch_post(const char *hub, const char *ca, const char *path, const void *body, size_t size,
               struct fetch_answer *ret, char detail[static FETCH_DETAIL_SIZE])
{
    struct curl_slist *headers = NULL;
    char url[FETCH_URL_MAX];
    struct buf got;
    CURL *c;
    int r = url_of(hub, path, url);

    *detail = '\0';
    if (r != FETCH_OK)
        return r;
    buf_init(&got, FETCH_ANSWER_MAX);
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    c = curl_easy_init();
    r = c && headers ? set_common(c, url, &got, detail) : -ENOMEM;
    if (r == 0)
        r = set_request(c, ca, headers, body, size);
    if (r == 0)
        r = perform(c, &got, ret);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    buf_done(&got);
    return r;
}

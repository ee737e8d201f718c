#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"

/*
 * HTTPS to the centre, whose authority a person has pinned: no other one is believed, whatever this machine believes otherwise. Never called by
 * root: what speaks here with the network is libcurl and OpenSSL. No proxy, no redirection, no environment.
 */

enum fetch_result {
    FETCH_OK = 0,
    FETCH_E_ADDRESS,     /* not "https://HOST:PORT" */
    FETCH_E_CONNECT,     /* nobody answers there, or there is no such name */
    FETCH_E_TIMEOUT,     /* it took too long */
    FETCH_E_TLS,         /* it does not speak TLS 1.2 or later */
    FETCH_E_PIN,         /* no authority with this pin is in what it shows */
    FETCH_E_CERTIFICATE, /* its certificate does not lead to the authority, is over, or is for another name */
    FETCH_E_ANSWER,      /* what came back is no answer, or too long */
    FETCH_RESULT_COUNT_,
};
const char *fetch_result_name(enum fetch_result r); /* "pin" … */

enum {
    FETCH_ANSWER_MAX = 2 * 1024 * 1024, /* bytes of a body: TRUST_ROOTS_MAX root documents, and what goes with them */
    FETCH_PEM_MAX = 16 * 1024,
    FETCH_DETAIL_SIZE = 256, /* of libcurl's CURL_ERROR_SIZE */
    FETCH_URL_MAX = 300,
};

/* Once per process, before anything else here. 0 or -EIO. */
int fetch_begin(void);

/*
 * The authority with this pin, of those that the server shows: over a connection on which nothing is verified and nothing is said. ret: PEM, the
 * caller's to free(). enum fetch_result or -errno; detail is libcurl's words, "": none.
 */
int fetch_authority(const char *hub, const struct digest *pin, char **ret, char detail[static FETCH_DETAIL_SIZE]);

struct fetch_answer {
    long status; /* of HTTP */
    char *body;  /* NUL-terminated, no NUL in it; the caller's to free() */
    size_t size;
};
/* POST of JSON; ca: PEM, the one authority that is believed, for this name. */
int fetch_post(const char *hub, const char *ca, const char *path, const void *body, size_t size,
               struct fetch_answer *ret, char detail[static FETCH_DETAIL_SIZE]);

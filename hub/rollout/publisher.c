/*
 * Owns: which bytes stand on which subject, as far as is known.
 * Must not: publish what stands there: every terminal of a group hears it.
 */
#include "hub/rollout/publisher.h"

#include <errno.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/fleet/names.h"

enum {
    ANSWER_MS = 5000,
    PENDING_MAX = 256, /* that the broker has not stored yet */
};

struct said {
    char subject[FLEET_SUBJECT_SIZE];
    struct digest digest;
};

struct publisher {
    jsCtx *js;
    void *said; /* tree by subject */
    _Atomic bool failed;
};

static int by_subject(const void *a, const void *b)
{
    return strcmp(((const struct said *)a)->subject, ((const struct said *)b)->subject);
}

/* In a thread of libnats. */
static void on_error(jsCtx *js, jsPubAckErr *error, void *context)
{
    struct publisher *p = context;

    (void)js;
    log_warning("rollout.publish", "status=\"%s\" code=%d", natsStatus_GetText(error->Err), (int)error->ErrCode);
    atomic_store(&p->failed, true);
}

int publisher_new(natsConnection *connection, struct publisher **ret)
{
    struct publisher *p = calloc(1, sizeof(*p));
    jsOptions options;
    natsStatus s;

    if (!p)
        return -ENOMEM;
    (void)jsOptions_Init(&options);
    options.Wait = ANSWER_MS;
    options.PublishAsync.MaxPending = PENDING_MAX;
    options.PublishAsync.ErrHandler = on_error;
    options.PublishAsync.ErrHandlerClosure = p;
    options.PublishAsync.StallWait = ANSWER_MS;
    s = natsConnection_JetStream(&p->js, connection, &options);
    if (s != NATS_OK) {
        free(p);
        return s == NATS_NO_MEMORY ? -ENOMEM : -EIO;
    }
    *ret = p;
    return 0;
}

struct publisher *publisher_free(struct publisher *p)
{
    if (!p)
        return NULL;
    publisher_forget(p);
    jsCtx_Destroy(p->js);
    free(p);
    return NULL;
}

void publisher_forget(struct publisher *p)
{
    if (p->said)
        tdestroy(p->said, free);
    p->said = NULL;
    atomic_store(&p->failed, false);
}

static int remember(struct publisher *p, const char *subject, const struct digest *digest)
{
    struct said *said = calloc(1, sizeof(*said)), **at;

    if (!said)
        return -ENOMEM;
    (void)snprintf(said->subject, sizeof(said->subject), "%s", subject);
    at = tsearch(said, &p->said, by_subject);
    if (!at || *at != said)
        free(said);
    if (!at)
        return -ENOMEM;
    (*at)->digest = *digest;
    return 0;
}

static const struct said *find(const struct publisher *p, const char *subject)
{
    struct said key = {0}, *const * at;

    (void)snprintf(key.subject, sizeof(key.subject), "%s", subject);
    at = tfind(&key, &p->said, by_subject);
    return at ? *at : NULL;
}

/* 1 it stands there, 0 something else or nothing does, -EIO. */
static int stands(struct publisher *p, const char *subject, const void *bytes, size_t size)
{
    const char *stream = text_starts(subject, "pol.") ? "POL" : "CMD";
    natsMsg *m = NULL;
    jsErrCode code = 0;
    natsStatus s = js_GetLastMsg(&m, p->js, stream, subject, NULL, &code);
    int r = 0;

    if (s == NATS_OK)
        r = (size_t)natsMsg_GetDataLength(m) == size && memcmp(natsMsg_GetData(m), bytes, size) == 0;
    else if (s != NATS_NOT_FOUND)
        r = -EIO;
    natsMsg_Destroy(m);
    return r;
}

int publisher_put(void *publisher, const char *subject, const void *bytes, size_t size, const struct digest *digest)
{
    struct publisher *p = publisher;
    const struct said *said = find(p, subject);
    struct digest own;
    int r = digest ? 0 : digest_bytes(bytes, size, &own);

    if (r < 0 || strlen(subject) >= FLEET_SUBJECT_SIZE || size > INT32_MAX)
        return -EIO;
    digest = digest ? digest : &own;
    if (said && digest_equal(&said->digest, digest))
        return 0;
    r = said ? 0 : stands(p, subject, bytes, size);
    if (r == 0)
        r = js_PublishAsync(p->js, subject, bytes, (int)size, NULL) == NATS_OK ? 1 : -EIO;
    return r > 0 ? remember(p, subject, digest) : r;
}

int publisher_finish(struct publisher *p)
{
    jsPubOptions options;
    natsStatus s;

    (void)jsPubOptions_Init(&options);
    options.MaxWait = ANSWER_MS;
    s = js_PublishAsyncComplete(p->js, &options);
    if (s == NATS_OK && !atomic_load(&p->failed))
        return 0;
    publisher_forget(p);
    return -EIO;
}

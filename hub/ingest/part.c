/*
 * Owns: the thread that takes batches out of the stream EVT, many at a time, and gives each back to the broker only when it is committed.
 * Must not: acknowledge before the commit, or hold up the main thread: it has its own store and waits by itself.
 *
 * Killed at any moment: what was not acknowledged to the broker is delivered again after ACK_WAIT_S, and what of it is in hub.db is known
 * there and acknowledged once more.
 */
#include "hub/ingest/part.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/ingest/ingest.h"
#include "hub/nats/streams.h"
#include "link/link.h"

enum {
    FETCH_MAX = 256,               /* messages asked for at once */
    TURN_MESSAGES = 2048,          /* in one transaction */
    TURN_BYTES = 16 * 1024 * 1024, /* the same */
    WAIT_MS = 250,                 /* for the first message; how long a stop may take */
    ANSWER_MS = 2000,
    ACK_WAIT_S = 15,
    WATCH_US = 10 * 1000 * 1000, /* whether something waits too long */
    AGAIN_MS = 1000,             /* after something failed */
};

struct ingest_part {
    const struct hub_serve *serve;
    pthread_t thread;
    pthread_mutex_t lock; /* of these three */
    pthread_cond_t changed;
    bool up, stopping;
    /* the thread's own */
    struct hub_store *store;
    struct ingest *ingest;
    jsCtx *js;
    natsSubscription *pull;
    natsMsg *messages[TURN_MESSAGES];
    size_t n;
    uint64_t watched_us; /* since boot */
};

/* --- when --- */

/* Until the wire is up; false: to stop. */
static bool await_wire(struct ingest_part *p)
{
    bool go;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->up && !p->stopping)
        (void)pthread_cond_wait(&p->changed, &p->lock);
    go = !p->stopping;
    (void)pthread_mutex_unlock(&p->lock);
    return go;
}

static void pause_a_while(struct ingest_part *p)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AGAIN_MS / 1000;
    (void)pthread_mutex_lock(&p->lock);
    if (!p->stopping)
        (void)pthread_cond_timedwait(&p->changed, &p->lock, &until);
    (void)pthread_mutex_unlock(&p->lock);
}

/* --- the stream --- */

/* One consumer for all that the hub ever is: it knows what was given back. */
static natsStatus subscribe(struct ingest_part *p)
{
    jsSubOptions o;
    jsErrCode code = 0;
    natsStatus s = NATS_OK;

    if (p->pull)
        return NATS_OK;
    if (!p->js)
        s = natsConnection_JetStream(&p->js, link_connection(p->serve->link), NULL);
    (void)jsSubOptions_Init(&o);
    o.Stream = "EVT";
    o.Config.Durable = "hub";
    o.Config.AckPolicy = js_AckExplicit;
    o.Config.AckWait = ACK_WAIT_S * INT64_C(1000000000);
    o.Config.MaxAckPending = 2 * TURN_MESSAGES;
    if (s == NATS_OK)
        s = js_PullSubscribe(&p->pull, p->js, "evt.*.*", "hub", NULL, &o, &code);
    if (s != NATS_OK)
        log_warning("ingest.consumer", "status=\"%s\" code=%d", natsStatus_GetText(s), (int)code);
    return s;
}

static void forget_messages(struct ingest_part *p)
{
    for (size_t i = 0; i < p->n; i++)
        natsMsg_Destroy(p->messages[i]);
    p->n = 0;
}

/* What is there, up to a turn's worth; waits for the first. */
static natsStatus fetch_turn(struct ingest_part *p)
{
    size_t bytes = 0;
    natsStatus s = NATS_OK;

    while (s == NATS_OK && p->n < TURN_MESSAGES && bytes < TURN_BYTES) {
        natsMsgList list = {0};
        jsFetchRequest ask;

        (void)jsFetchRequest_Init(&ask);
        ask.Batch = TURN_MESSAGES - p->n < FETCH_MAX ? (int)(TURN_MESSAGES - p->n) : FETCH_MAX;
        ask.NoWait = true;
        s = p->n > 0 ? natsSubscription_FetchRequest(&list, p->pull, &ask)
                     : natsSubscription_Fetch(&list, p->pull, ask.Batch, WAIT_MS, NULL);
        for (int i = 0; i < list.Count; i++) {
            bytes += (size_t)natsMsg_GetDataLength(list.Msgs[i]);
            p->messages[p->n++] = list.Msgs[i];
            list.Msgs[i] = NULL;
        }
        if (list.Count < ask.Batch)
            s = NATS_TIMEOUT;
        natsMsgList_Destroy(&list);
    }
    return p->n > 0 ? NATS_OK : s;
}

/* --- a turn --- */

static int publish(void *context, const char *subject, const uint8_t *envelope, size_t size)
{
    struct ingest_part *p = context;
    natsStatus s = natsConnection_Publish(link_connection(p->serve->link), subject, envelope, (int)size);

    return s == NATS_OK ? 0 : -ECOMM;
}

static int store_turn(struct ingest_part *p)
{
    int r = ingest_begin(p->ingest, clock_wall_us());

    for (size_t i = 0; r >= 0 && i < p->n; i++)
        r = ingest_take(p->ingest, natsMsg_GetSubject(p->messages[i]), natsMsg_GetData(p->messages[i]),
                        (size_t)natsMsg_GetDataLength(p->messages[i]));
    if (r >= 0)
        r = ingest_commit(p->ingest);
    else
        ingest_rollback(p->ingest);
    return r < 0 ? r : 0;
}

/* Committed before: tell the terminals, be sure the broker has that, and only then let it forget. */
static void give_back(struct ingest_part *p)
{
    int r = ingest_acknowledge(p->ingest, publish, p);
    natsStatus s = r < 0 ? NATS_ERR : natsConnection_FlushTimeout(link_connection(p->serve->link), ANSWER_MS);

    if (s != NATS_OK) {
        log_warning("ingest.acknowledge", "status=\"%s\" error=%d", natsStatus_GetText(s), r);
        return;
    }
    for (size_t i = 0; i < p->n; i++)
        (void)natsMsg_Ack(p->messages[i], NULL);
}

static int watch(struct ingest_part *p)
{
    uint64_t now = clock_boottime_us();

    if (now - p->watched_us < WATCH_US)
        return 0;
    p->watched_us = now;
    return ingest_watch(p->ingest, clock_wall_us());
}

/* 0; -errno: this cannot go on. */
static int turn(struct ingest_part *p)
{
    natsStatus s = fetch_turn(p);
    int r = 0;

    if (s == NATS_OK)
        r = store_turn(p);
    if (s == NATS_OK && r == 0)
        give_back(p);
    if (r == 0)
        r = watch(p);
    if (r < 0)
        log_error("ingest.store", "error=\"%s\" messages=%zu", strerror(-r), p->n);
    forget_messages(p);
    if (s != NATS_OK && s != NATS_TIMEOUT)
        log_info("ingest.fetch", "status=\"%s\"", natsStatus_GetText(s));
    if (r < 0 || (s != NATS_OK && s != NATS_TIMEOUT))
        pause_a_while(p);
    return r == -EUCLEAN || r == -EIO ? r : 0;
}

static void *run(void *context)
{
    struct ingest_part *p = context;
    int r = 0;

    while (r == 0 && await_wire(p)) {
        if (subscribe(p) == NATS_OK)
            r = turn(p);
        else
            pause_a_while(p);
    }
    if (r < 0)
        hub_serve_fail(p->serve, r);
    return NULL;
}

/* --- a part --- */

static void ingest_part_stop(void *part)
{
    struct ingest_part *p = part;

    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    natsSubscription_Destroy(p->pull);
    jsCtx_Destroy(p->js);
    p->ingest = ingest_free(p->ingest);
    p->store = hub_store_free(p->store);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

static int open_store(struct ingest_part *p)
{
    struct ingest_settings s = {.organization = p->serve->organization, .head = p->serve->head};
    int r = hub_store_open(p->serve->centre->directory, clock_wall_us(), &p->store);

    s.store = p->store;
    return r < 0 ? r : ingest_new(&s, &p->ingest);
}

static int ingest_part_start(const struct hub_serve *serve, void **ret)
{
    struct ingest_part *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return -ENOMEM;
    p->serve = serve;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    r = open_store(p);
    if (r >= 0)
        r = -pthread_create(&p->thread, NULL, run, p);
    if (r < 0) {
        p->ingest = ingest_free(p->ingest);
        p->store = hub_store_free(p->store);
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

static void ingest_part_wire(void *part, bool up)
{
    struct ingest_part *p = part;

    (void)pthread_mutex_lock(&p->lock);
    p->up = up;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

const struct hub_part hub_ingest_part = {
    .name = "ingest",
    .start = ingest_part_start,
    .wire_changed = ingest_part_wire,
    .stop = ingest_part_stop,
};

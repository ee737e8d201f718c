/*
 * Owns: the thread that takes reports off the wire and carries on what the store says, and when it does.
 * Must not: hold up the main thread: it has its own store and waits by itself.
 *
 * Killed at any moment: reports stand in the stream REP, the last of each terminal, and are all looked at when it begins; what is to be said is
 * compared with what the broker has (publisher.c).
 */
#include "hub/rollout/part.h"

#include <errno.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/rollout/intake.h"
#include "hub/rollout/publisher.h"
#include "hub/rollout/work.h"
#include "hub/store/alarms.h"
#include "link/link.h"
#include "policy/fleet/names.h"

enum {
    TURN_REPORTS = 512, /* in one transaction */
    WAIT_MS = 100,      /* for the first of them; how long a stop, and what an administrator says, may take */
    AGAIN_MS = 1000,    /* after something failed */
};

#define PASS_US INT64_C(1000000)       /* waits end, heads are renewed: looked at so often */
#define REPORTS_US INT64_C(250000)     /* reports of thousands come one after the other: not looked at more often */
#define CLOCK_JUMP_US INT64_C(5000000) /* the wall clock against that since the start */

struct rollout_thread {
    const struct hub_serve *serve;
    pthread_t thread;
    pthread_mutex_t lock; /* of these */
    pthread_cond_t changed;
    bool up, again, stopping; /* again: connected anew */
    bool store_changed;
    /* The thread's own: */
    struct hub_store *store;
    struct publisher *publisher;
    natsSubscription *reports;
    jsCtx *js;
    struct rollout_wire wire;
    struct rollout_work work;
    int64_t passed_us; /* since the start; when the last pass was */
    bool heard;        /* reports since then */
    int64_t clock_us;  /* wall clock less that since the start */
    int told;          /* result of the last pass, told once */
};

/* --- when --- */

static bool await_wire(struct rollout_thread *t, bool *ret_again)
{
    bool go;

    (void)pthread_mutex_lock(&t->lock);
    while (!t->up && !t->stopping)
        (void)pthread_cond_wait(&t->changed, &t->lock);
    *ret_again = t->again;
    t->again = false;
    go = !t->stopping;
    (void)pthread_mutex_unlock(&t->lock);
    return go;
}

static void pause_a_while(struct rollout_thread *t)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AGAIN_MS / 1000;
    (void)pthread_mutex_lock(&t->lock);
    if (!t->stopping)
        (void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
    (void)pthread_mutex_unlock(&t->lock);
}

static bool take_store_changed(struct rollout_thread *t)
{
    bool changed;

    (void)pthread_mutex_lock(&t->lock);
    changed = t->store_changed;
    t->store_changed = false;
    (void)pthread_mutex_unlock(&t->lock);
    return changed;
}

static int64_t clock_offset(void)
{
    return clock_wall_us() - (int64_t)clock_boottime_us();
}

/* --- reports --- */

/* The last of each terminal, and then every new one. */
static natsStatus subscribe(struct rollout_thread *t)
{
    jsSubOptions o;
    jsErrCode code = 0;
    natsStatus s = NATS_OK;

    if (t->reports)
        return NATS_OK;
    if (!t->js)
        s = natsConnection_JetStream(&t->js, link_connection(t->serve->link), NULL);
    (void)jsSubOptions_Init(&o);
    o.Stream = "REP";
    o.Ordered = true;
    o.Config.DeliverPolicy = js_DeliverLastPerSubject;
    if (s == NATS_OK)
        s = js_SubscribeSync(&t->reports, t->js, "rep.*", NULL, &o, &code);
    if (s == NATS_OK)
        t->work.listening_us = clock_wall_us();
    else
        log_warning("rollout.reports", "status=\"%s\" code=%d", natsStatus_GetText(s), (int)code);
    return s;
}

static void unsubscribe(struct rollout_thread *t)
{
    (void)natsSubscription_Unsubscribe(t->reports);
    natsSubscription_Destroy(t->reports);
    t->reports = NULL;
}

static int tell_refused(struct rollout_thread *t, int result, const char *terminal)
{
    const bool fork = result == ROLLOUT_INTAKE_E_FORK;
    int r;

    if (result != ROLLOUT_INTAKE_E_BAD && !fork)
        return 0;
    r = hub_alarm_raise(t->store, clock_wall_us(), fork ? "report-fork" : "report-bad", terminal, NULL);
    if (r > 0)
        log_warning("rollout.report.refused", "terminal=%s why=%s", terminal, fork ? "fork" : "bad");
    return r;
}

static int take_report(struct rollout_thread *t, natsMsg *m)
{
    const char *subject = natsMsg_GetSubject(m);
    struct fleet_place place = {0};
    int r = fleet_subject_read(subject, strlen(subject), &place);

    if (r < 0 || place.subject != FLEET_SUBJECT_REPORTS)
        return 0;
    r = rollout_intake(t->store, place.terminal, (const uint8_t *)natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
                       clock_wall_us(), NULL);
    return r < 0 ? r : tell_refused(t, r, place.terminal);
}

/* How many came. What is not committed, because it failed, comes again: the stream has it, and the subscription is made anew. */
static int take_reports(struct rollout_thread *t)
{
    natsMsg *m = NULL;
    natsStatus s = natsSubscription_NextMsg(&m, t->reports, WAIT_MS);
    int n = 0, r = 0;

    if (s == NATS_OK)
        r = hub_store_begin(t->store);
    while (s == NATS_OK && r >= 0) {
        r = take_report(t, m);
        natsMsg_Destroy(m);
        m = NULL;
        s = r >= 0 && ++n < TURN_REPORTS ? natsSubscription_NextMsg(&m, t->reports, 1) : NATS_TIMEOUT;
    }
    natsMsg_Destroy(m);
    if (n > 0 && r >= 0)
        r = hub_store_commit(t->store);
    hub_store_rollback(t->store);
    return r < 0 ? r : s == NATS_OK || s == NATS_TIMEOUT ? n : -EIO;
}

/* --- a turn --- */

static void tell(struct rollout_thread *t, int r)
{
    if (r == t->told)
        return;
    t->told = r;
    if (r == ROLLOUT_WORK_E_NO_ROOT)
        log_notice("rollout.no-root", "what=\"no root document; kuraban-hub root add\"");
    else if (r == ROLLOUT_WORK_E_KEY)
        log_error("rollout.key", "what=\"the newest root document does not name the centre's online key\"");
    else if (r == ROLLOUT_WORK_OK)
        log_info("rollout.working", "roots=%s", "good");
}

static int pass(struct rollout_thread *t)
{
    const int64_t offset = clock_offset();
    int r;

    /* While the clock jumped nobody was silent: it looks so only. */
    if (llabs(offset - t->clock_us) > CLOCK_JUMP_US) {
        log_warning("rollout.clock", "jump_s=%lld", (long long)((offset - t->clock_us) / 1000000));
        t->work.listening_us = clock_wall_us();
    }
    t->clock_us = offset;
    t->passed_us = (int64_t)clock_boottime_us();
    t->heard = false;
    r = rollout_work_pass(&t->work, clock_wall_us());
    tell(t, r);
    if (r >= 0 && publisher_finish(t->publisher) < 0)
        r = -ECOMM;
    return r < 0 ? r : t->work.refused > 0 ? -ECOMM : 0;
}

static bool is_time(const struct rollout_thread *t)
{
    return (int64_t)clock_boottime_us() - t->passed_us >= (t->heard ? REPORTS_US : PASS_US);
}

static int turn(struct rollout_thread *t, bool again)
{
    int n;

    if (again)
        publisher_forget(t->publisher);
    if (subscribe(t) != NATS_OK)
        return -ECOMM;
    n = take_reports(t);
    if (n < 0) {
        unsubscribe(t);
        return n == -EIO ? -ECOMM : n;
    }
    t->heard = t->heard || n > 0;
    return take_store_changed(t) || again || is_time(t) ? pass(t) : 0;
}

static void *run(void *context)
{
    struct rollout_thread *t = context;
    bool again = false;

    while (await_wire(t, &again)) {
        int r = turn(t, again);

        if (r == -ECOMM || r == -EBUSY) {
            pause_a_while(t);
        } else if (r < 0) {
            log_error("rollout.failed", "error=\"%s\"", strerror(-r));
            hub_serve_fail(t->serve, r);
            break;
        }
    }
    return NULL;
}

/* --- the part --- */

static struct rollout_thread *thread_free(struct rollout_thread *t)
{
    if (t->reports)
        unsubscribe(t);
    t->publisher = publisher_free(t->publisher);
    jsCtx_Destroy(t->js);
    t->store = hub_store_free(t->store);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

static int start(const struct hub_serve *serve, void **ret)
{
    struct rollout_thread *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->serve = serve;
    t->told = -1;
    t->clock_us = clock_offset();
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    r = hub_store_open(serve->centre->directory, clock_wall_us(), &t->store);
    if (r >= 0)
        r = publisher_new(link_connection(serve->link), &t->publisher);
    t->wire = (struct rollout_wire){publisher_put, t->publisher};
    t->work = (struct rollout_work){.store = t->store, .key = serve->head, .wire = &t->wire};
    if (r >= 0)
        r = -pthread_create(&t->thread, NULL, run, t);
    if (r < 0)
        t = thread_free(t);
    else
        *ret = t;
    return r;
}

static void on_store(void *part)
{
    struct rollout_thread *t = part;

    (void)pthread_mutex_lock(&t->lock);
    t->store_changed = true;
    (void)pthread_mutex_unlock(&t->lock);
}

static void on_wire(void *part, bool up)
{
    struct rollout_thread *t = part;

    (void)pthread_mutex_lock(&t->lock);
    t->up = up;
    t->again = t->again || up;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static void stop(void *part)
{
    struct rollout_thread *t = part;

    (void)pthread_mutex_lock(&t->lock);
    t->stopping = true;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    (void)thread_free(t);
}

const struct hub_part rollout_part = {
    .name = "rollout", .start = start, .store_changed = on_store, .wire_changed = on_wire, .stop = stop};

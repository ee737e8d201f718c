/*
 * Owns: the thread that speaks with the broker, the two queues between it and the loop, and the subjects. Must not: run anything of the courier's in
 * another thread than the loop's, keep more than the queues may hold, or look into what it carries.
 */
#include "courier/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "link/link.h"

#define INBOX "_INBOX."
#define DIRECT "$JS.API.DIRECT.GET."

enum {
    SUBJECT_MAX = 3 * FLEET_SUBJECT_SIZE,
    PENDING_MAX = 1024 * 1024,
    SUBSCRIPTIONS_MAX = WIRE_GROUPS_MAX + 3,
};

enum item_kind {
    ITEM_UP,
    ITEM_DOWN,
    ITEM_MESSAGE,
    ITEM_STORED,
    ITEM_REFUSED, /* not stored */
    ITEM_PUBLISH,
};

struct item {
    TAILQ_ENTRY(item) link;
    enum item_kind kind;
    struct fleet_place place;    /* MESSAGE */
    char subject[SUBJECT_MAX];   /* PUBLISH */
    char reply[SUBJECT_MAX];     /* PUBLISH */
    char id[FLEET_MESSAGE_SIZE]; /* PUBLISH; "" none */
    uint64_t ticket;
    size_t size;
    uint8_t bytes[];
};

struct queue {
    TAILQ_HEAD(, item) items;
    size_t n, bytes;
};

struct wire {
    struct wire_options options; /* strings are copies */
    char terminal[FLEET_ID_SIZE];
    char subjects[SUBSCRIPTIONS_MAX][FLEET_SUBJECT_SIZE + 2];
    size_t n_subjects;
    char *urls[17], *jwt, *ca;
    struct sd_event_source *ready;
    int eventfd;

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    struct queue in, out; /* to the loop; to the broker */
    bool stopping;
    uint64_t dropped;

    natsSubscription *subscriptions[SUBSCRIPTIONS_MAX + 1]; /* the thread's */
};

/* --- the queues --- */

static struct item *item_new(enum item_kind kind, const void *bytes, size_t size)
{
    struct item *i = calloc(1, sizeof(*i) + size + 1);

    if (!i)
        return NULL;
    i->kind = kind;
    i->size = size;
    if (size > 0)
        memcpy(i->bytes, bytes, size);
    return i;
}

/* Takes the item. */
static int put(struct wire *w, struct queue *q, struct item *i)
{
    bool news = i && (i->kind == ITEM_UP || i->kind == ITEM_DOWN);
    int r = 0;

    if (!i)
        return -ENOMEM;
    (void)pthread_mutex_lock(&w->lock);
    if (!news && (q->n >= WIRE_QUEUE_MESSAGES || q->bytes + i->size > WIRE_QUEUE_BYTES)) {
        w->dropped++;
        r = -ENOBUFS;
    } else {
        TAILQ_INSERT_TAIL(&q->items, i, link);
        q->n++;
        q->bytes += i->size;
        if (q == &w->out)
            (void)pthread_cond_signal(&w->work);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (r < 0)
        free(i);
    else if (q == &w->in)
        (void)eventfd_write(w->eventfd, 1);
    return r;
}

/* With the lock. NULL: nothing waits. */
static struct item *take(struct queue *q)
{
    struct item *i = TAILQ_FIRST(&q->items);

    if (i) {
        TAILQ_REMOVE(&q->items, i, link);
        q->n--;
        q->bytes -= i->size;
    }
    return i;
}

static void clear(struct queue *q)
{
    struct item *i;

    while ((i = take(q)))
        free(i);
}

/* --- called by libnats --- */

static void on_changed(void *context, bool up)
{
    struct wire *w = context;

    (void)put(w, &w->in, item_new(up ? ITEM_UP : ITEM_DOWN, NULL, 0));
}

/* "_INBOX.ID.p.TICKET": what became of something published. */
static void take_stored(struct wire *w, const char *ticket, natsMsg *m)
{
    const char *status = NULL;
    bool refused = natsMsgHeader_Get(m, "Status", &status) == NATS_OK ||
                   !wire_is_stored(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
    struct item *i = item_new(refused ? ITEM_REFUSED : ITEM_STORED, NULL, 0);

    if (refused)
        log_info("wire.refused", "answer=%.200s", natsMsg_GetDataLength(m) > 0 ? natsMsg_GetData(m) : "none");
    if (i && text_to_u64(ticket, UINT64_MAX, &i->ticket) == 0)
        (void)put(w, &w->in, i);
    else
        free(i);
}

static void take_message(struct wire *w, const char *subject, natsMsg *m)
{
    struct fleet_place place;
    struct item *i;

    if (fleet_subject_read(subject, strlen(subject), &place) < 0 || natsMsg_GetDataLength(m) <= 0)
        return;
    i = item_new(ITEM_MESSAGE, natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
    if (i)
        i->place = place;
    (void)put(w, &w->in, i);
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *m, void *closure)
{
    struct wire *w = closure;
    const char *subject = natsMsg_GetSubject(m), *status = NULL;
    size_t inbox = strlen(INBOX) + strlen(w->terminal) + 1;

    (void)connection, (void)subscription;
    if (!text_starts(subject, INBOX))
        take_message(w, subject, m);
    else if (strlen(subject) > inbox + 2 && subject[inbox] == 'p' && subject[inbox + 1] == '.')
        take_stored(w, subject + inbox + 2, m);
    else if (strlen(subject) > inbox + 2 && subject[inbox] == 'g' && subject[inbox + 1] == '.' &&
             natsMsgHeader_Get(m, "Status", &status) != NATS_OK) /* a status: there is none */
        take_message(w, subject + inbox + 2, m);
    natsMsg_Destroy(m);
}

/* --- the thread --- */

static natsStatus publish(natsConnection *c, const struct item *i)
{
    natsMsg *m = NULL;
    natsStatus s = natsMsg_Create(&m, i->subject, i->reply, (const char *)i->bytes, (int)i->size);

    if (s == NATS_OK && i->id[0] != '\0')
        s = natsMsgHeader_Set(m, "Nats-Msg-Id", i->id);
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(c, m);
    natsMsg_Destroy(m);
    return s;
}

static natsStatus subscribe(struct wire *w, natsConnection *c)
{
    natsStatus s = NATS_OK;

    for (size_t i = 0; i < w->n_subjects && s == NATS_OK; i++)
        s = natsConnection_Subscribe(&w->subscriptions[i], c, w->subjects[i], on_message, w);
    return s;
}

static bool is_stopping(struct wire *w)
{
    bool stopping;

    (void)pthread_mutex_lock(&w->lock);
    stopping = w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    return stopping;
}

/* Many terminals are switched on at the same moment. Ends sooner when all ends. */
static void wait_at_random(struct wire *w, unsigned most_s)
{
    struct timespec until;
    uint32_t random = 0;
    uint64_t ms;

    if (most_s == 0 || getrandom(&random, sizeof(random), 0) != sizeof(random))
        return;
    ms = (uint64_t)random * most_s * 1000 >> 32;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stopping && pthread_cond_timedwait(&w->work, &w->lock, &until) == 0)
        ;
    (void)pthread_mutex_unlock(&w->lock);
}

static struct link *open_link(struct wire *w)
{
    const struct link_settings settings = {.urls = (const char *const *)w->urls,
                                           .name = w->terminal,
                                           .jwt = w->jwt,
                                           .key = w->options.key,
                                           .ca_pem = w->ca,
                                           .wait_max_s = w->options.wait_max_s,
                                           .pending_max = PENDING_MAX,
                                           .changed = on_changed,
                                           .context = w};
    struct link *l = NULL;

    wait_at_random(w, w->options.wait_max_s);
    while (!is_stopping(w) && link_open(&settings, &l) < 0)
        wait_at_random(w, 60);
    return l;
}

static void work(struct wire *w, struct link *l)
{
    for (;;) {
        struct item *i;
        bool stopping;

        (void)pthread_mutex_lock(&w->lock);
        while (!w->stopping && TAILQ_EMPTY(&w->out.items))
            (void)pthread_cond_wait(&w->work, &w->lock);
        stopping = w->stopping;
        i = stopping ? NULL : take(&w->out);
        (void)pthread_mutex_unlock(&w->lock);
        if (stopping)
            return;
        /* What fails is not told: it is noticed that no answer comes. */
        if (publish(link_connection(l), i) != NATS_OK)
            log_debug("wire.publish", "subject=%s", i->subject);
        free(i);
    }
}

static void *run(void *argument)
{
    struct wire *w = argument;
    struct link *l = open_link(w);
    natsStatus s;

    if (l) {
        s = subscribe(w, link_connection(l));
        if (s != NATS_OK)
            log_warning("wire.subscribe", "status=%s", natsStatus_GetText(s));
        work(w, l);
    }
    for (size_t i = 0; i < w->n_subjects; i++)
        natsSubscription_Destroy(w->subscriptions[i]);
    (void)link_free(l);
    return NULL;
}

/* --- the loop's side --- */

static void hand_over(struct wire *w, const struct item *i)
{
    const struct wire_options *o = &w->options;

    if (i->kind == ITEM_UP || i->kind == ITEM_DOWN)
        o->changed(o->context, i->kind == ITEM_UP);
    else if (i->kind == ITEM_MESSAGE)
        o->message(o->context, &i->place, i->bytes, i->size);
    else
        o->stored(o->context, i->ticket, i->kind == ITEM_STORED);
}

/* One at a time: the others in the loop get their turn. */
static int on_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct wire *w = userdata;
    eventfd_t n;
    struct item *i;
    bool more;

    (void)source, (void)events;
    (void)eventfd_read(fd, &n);
    (void)pthread_mutex_lock(&w->lock);
    i = take(&w->in);
    more = !TAILQ_EMPTY(&w->in.items);
    (void)pthread_mutex_unlock(&w->lock);
    if (more)
        (void)eventfd_write(fd, 1);
    if (i)
        hand_over(w, i);
    free(i);
    return 0;
}

static int make_subjects(struct wire *w, const struct wire_options *o)
{
    int r = fleet_subject_terminal(FLEET_SUBJECT_ACKS, o->terminal, w->subjects[0]);

    if (r < 0)
        return r;
    (void)snprintf(w->subjects[1], sizeof(w->subjects[1]), "cmd.%s.*", o->terminal);
    (void)snprintf(w->subjects[2], sizeof(w->subjects[2]), INBOX "%s.>", o->terminal);
    w->n_subjects = 3;
    for (size_t i = 0; i < o->n_groups && i < WIRE_GROUPS_MAX && r >= 0; i++)
        r = fleet_subject_policy(o->groups[i], w->subjects[w->n_subjects++]);
    return r;
}

static int copy_options(struct wire *w, const struct wire_options *o)
{
    w->options = *o;
    (void)snprintf(w->terminal, sizeof(w->terminal), "%s", o->terminal);
    w->jwt = strdup(o->jwt);
    w->ca = strdup(o->ca);
    if (!w->jwt || !w->ca)
        return -ENOMEM;
    for (size_t i = 0; i + 1 < sizeof(w->urls) / sizeof(*w->urls) && o->urls[i]; i++) {
        w->urls[i] = strdup(o->urls[i]);
        if (!w->urls[i])
            return -ENOMEM;
    }
    return make_subjects(w, o);
}

int wire_new(const struct wire_options *options, struct wire **ret)
{
    _cleanup_(wire_freep) struct wire *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    w->eventfd = -1;
    TAILQ_INIT(&w->in.items);
    TAILQ_INIT(&w->out.items);
    if (pthread_mutex_init(&w->lock, NULL) != 0 || pthread_cond_init(&w->work, NULL) != 0)
        return -ENOMEM;
    r = copy_options(w, options);
    if (r < 0)
        return r;
    w->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->eventfd < 0)
        return -errno;
    r = sd_event_add_io(options->loop, &w->ready, w->eventfd, EPOLLIN, on_ready, w);
    if (r >= 0)
        r = -pthread_create(&w->thread, NULL, run, w);
    if (r < 0)
        return r;
    w->running = true;
    *ret = TAKE_PTR(w);
    return 0;
}

struct wire *wire_free(struct wire *w)
{
    if (!w)
        return NULL;
    if (w->running) {
        (void)pthread_mutex_lock(&w->lock);
        w->stopping = true;
        (void)pthread_cond_broadcast(&w->work);
        (void)pthread_mutex_unlock(&w->lock);
        (void)pthread_join(w->thread, NULL);
    }
    sd_event_source_disable_unref(w->ready);
    close_fd(w->eventfd);
    clear(&w->in);
    clear(&w->out);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_mutex_destroy(&w->lock);
    for (size_t i = 0; i < sizeof(w->urls) / sizeof(*w->urls); i++)
        free(w->urls[i]);
    free(w->jwt);
    free(w->ca);
    free(w);
    return NULL;
}

int wire_publish(struct wire *w, const char *subject, const char *id, const void *bytes, size_t size, uint64_t ticket)
{
    struct item *i = item_new(ITEM_PUBLISH, bytes, size);

    if (!i)
        return -ENOMEM;
    (void)snprintf(i->subject, sizeof(i->subject), "%s", subject);
    (void)snprintf(i->reply, sizeof(i->reply), INBOX "%s.p.%" PRIu64, w->terminal, ticket);
    (void)snprintf(i->id, sizeof(i->id), "%s", id ? id : "");
    return put(w, &w->out, i);
}

static int ask_for(struct wire *w, const char *stream, const char *subject)
{
    struct item *i = item_new(ITEM_PUBLISH, NULL, 0);

    if (!i)
        return -ENOMEM;
    (void)snprintf(i->subject, sizeof(i->subject), DIRECT "%s.%s", stream, subject);
    (void)snprintf(i->reply, sizeof(i->reply), INBOX "%s.g.%s", w->terminal, subject);
    return put(w, &w->out, i);
}

int wire_ask(struct wire *w)
{
    char subject[FLEET_SUBJECT_SIZE];
    int r = ask_for(w, "ACK", w->subjects[0]);

    for (enum fleet_command c = FLEET_COMMAND_MEMBERSHIP; r >= 0 && c < FLEET_COMMAND_COUNT_; c++) {
        r = fleet_subject_command(w->terminal, c, subject);
        if (r >= 0)
            r = ask_for(w, "CMD", subject);
    }
    for (size_t i = 3; r >= 0 && i < w->n_subjects; i++)
        r = ask_for(w, "POL", w->subjects[i]);
    return r;
}

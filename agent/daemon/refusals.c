/*
 * Remembers why people were refused. Owns a bounded set of persons with a small ring of refusals each. Main thread only.
 */
#include "daemon/refusals.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/answers.h"

enum {
    PERSONS_MAX = 16,
    REFUSALS_PER_PERSON = 16
};

/* One ring; the person whose newest refusal is the oldest makes room. */
struct person {
    bool used, everybody;
    uid_t uid;
    int64_t newest_us;
    size_t next, n;
    struct audit_event *events[REFUSALS_PER_PERSON];
};

struct refusals {
    struct person persons[PERSONS_MAX];
};

int refusals_new(struct refusals **ret)
{
    struct refusals *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    *ret = r;
    return 0;
}

static void person_clear(struct person *p)
{
    for (size_t i = 0; i < REFUSALS_PER_PERSON; i++)
        free(p->events[i]);
    *p = (struct person){0};
}

struct refusals *refusals_free(struct refusals *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < PERSONS_MAX; i++)
        person_clear(&r->persons[i]);
    free(r);
    return NULL;
}

static struct person *person_of(struct refusals *r, const struct audit_event *e)
{
    struct person *oldest = &r->persons[0];

    for (size_t i = 0; i < PERSONS_MAX; i++) {
        struct person *p = &r->persons[i];

        if (p->used && p->everybody == !e->has_uid && (!e->has_uid || p->uid == e->uid))
            return p;
        /* An unused place has newest_us 0 and is older than any used one. */
        if (p->newest_us < oldest->newest_us)
            oldest = p;
    }
    person_clear(oldest);
    oldest->used = true;
    oldest->everybody = !e->has_uid;
    oldest->uid = e->uid;
    return oldest;
}

static bool is_refusal(const struct audit_event *e)
{
    return e->has_verdict && (!e->allowed || e->would_refuse);
}

void refusals_remember(struct refusals *r, const struct audit_event *e)
{
    struct person *p;
    struct audit_event *copy;

    if (!is_refusal(e))
        return;
    copy = malloc(sizeof(*copy));
    if (!copy)
        return; /* the journal has it all the same */
    *copy = *e;
    p = person_of(r, e);
    free(p->events[p->next]);
    p->events[p->next] = copy;
    p->next = (p->next + 1) % REFUSALS_PER_PERSON;
    if (p->n < REFUSALS_PER_PERSON)
        p->n++;
    p->newest_us = e->wall_us;
}

/* The age-th newest event of a person, NULL past the last. */
static const struct audit_event *person_event(const struct person *p, size_t age)
{
    if (age >= p->n)
        return NULL;
    return p->events[(p->next + REFUSALS_PER_PERSON - 1 - age) % REFUSALS_PER_PERSON];
}

json_t *refusals_answer(const struct refusals *r, uid_t uid, bool everybodys, size_t count)
{
    json_t *array = json_array();
    size_t taken[PERSONS_MAX] = {0};

    while (array && json_array_size(array) < count) {
        const struct audit_event *newest = NULL;
        size_t from = 0;

        for (size_t i = 0; i < PERSONS_MAX; i++) {
            const struct person *p = &r->persons[i];
            const struct audit_event *e = NULL;

            if (p->used && (everybodys || p->everybody || p->uid == uid))
                e = person_event(p, taken[i]);
            if (e && (!newest || e->wall_us > newest->wall_us)) {
                newest = e;
                from = i;
            }
        }
        if (!newest)
            break;
        taken[from]++;
        if (json_array_append_new(array, answer_refusal(newest)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

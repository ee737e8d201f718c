/*
 * Owns: the limit of records per person.
 * Must not: decide what is the same (fold.c), or limit what no person chooses: devices, what root changes, alarms but those that anybody can cause
 * as often as they like.
 */
#include "audit/flood.h"

#include <string.h>

/* Refusals of what somebody asked kuraband for. Of codes those that were not looked at: how many wrong ones there can be is the verifier's to
 * limit. The end of an export that had begun, which has no verdict, is none: bytes of it may be on a medium, and it is found by its id. */
static bool is_request(const struct audit_event *e)
{
    return e->at_will || e->action == AUDIT_GRANT_REFUSED || (e->action == AUDIT_EXPORT_FAILED && e->has_verdict);
}

/* A file that is refused to an export. One that is allowed leaves, and is never folded. */
static bool is_refused_file(const struct audit_event *e)
{
    return e->action == AUDIT_EXPORT_FILE && e->has_verdict && !e->allowed;
}

static bool is_limited(const struct audit_event *e)
{
    if (e->at_will)
        return true;
    return ((e->action == AUDIT_FILE_OPEN && e->has_verdict) || is_refused_file(e) || is_request(e)) && !e->alarm &&
           e->has_uid;
}

static enum flood_kind kind_of(const struct audit_event *e)
{
    if (is_request(e))
        return FLOOD_REQUESTS;
    return !e->allowed || e->would_refuse ? FLOOD_REFUSED : FLOOD_ALLOWED;
}

/* The login uid stays what it is when somebody takes the uids of a namespace of their own, one after the other. */
static uid_t person_of(const struct audit_event *e)
{
    if (e->has_login_uid)
        return e->login_uid;
    return e->at_will ? e->asker : e->uid;
}

static bool has_ended(const struct flood *f, const struct flood_person *p, uint64_t now_us)
{
    /* Events of several threads come a little out of order; a clock that really went back ends the window. */
    if (now_us < p->window_start_us)
        return p->window_start_us - now_us >= f->window_us;
    return now_us - p->window_start_us >= f->window_us;
}

/* A window that runs is never given up for another person: that would reset it. */
static struct flood_person *find(struct flood *f, const struct audit_event *e, uint64_t now_us)
{
    struct flood_person *free_place = NULL, *last = &f->persons[FLOOD_PERSONS];
    enum flood_kind kind = kind_of(e);

    for (size_t i = 0; i < FLOOD_PERSONS; i++) {
        struct flood_person *p = &f->persons[i];

        if (p->used && has_ended(f, p, now_us))
            p->used = false;
        if (p->used && p->uid == person_of(e) && p->kind == kind)
            return p;
        if (!p->used && !free_place)
            free_place = p;
    }
    if (free_place) {
        *free_place = (struct flood_person){.used = true, .kind = kind, .uid = person_of(e), .window_start_us = now_us};
        return free_place;
    }
    if (!last->used || has_ended(f, last, now_us))
        *last = (struct flood_person){.used = true, .kind = FLOOD_REFUSED, .window_start_us = now_us};
    return last;
}

bool flood_is_below(struct flood *f, const struct audit_event *e, uint64_t now_us)
{
    const struct flood_person *p;

    if (!is_limited(e))
        return true;
    p = find(f, e, now_us);
    return p->passed < f->limits[p->kind];
}

void flood_count(struct flood *f, const struct audit_event *e, uint64_t now_us)
{
    if (is_limited(e))
        find(f, e, now_us)->passed++;
}

void flood_summarize(const struct audit_event *e, struct audit_event *ret)
{
    *ret = *e;
    memset(ret->path, 0, sizeof(ret->path));
    memset(ret->program, 0, sizeof(ret->program));
    ret->program_device = ret->program_inode = 0;
    ret->pid = 0;
    ret->start_time = 0;
    audit_set(ret->message, sizeof(ret->message),
              is_request(e)        ? "more requests than are recorded one by one"
              : is_refused_file(e) ? "more refused files than are recorded one by one"
                                   : "more different opens than are recorded one by one");
}

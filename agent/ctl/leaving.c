/*
 * How many connections others keep us from closing. Owns the list of them and of the processes that close them. Must not close one itself
 * that holds descriptors, or be without bound: whoever accepts asks leaving_is_full() first.
 */
#include "ctl/leaving.h"

#include <assert.h>
#include <errno.h>

#include "base/cleanup.h"
#include "ctl/let_go.h"

static bool may_have_closer(const struct leaving *l, uid_t uid)
{
    size_t all = 0, own = 0;

    for (size_t i = 0; i < l->n; i++) {
        all += l->them[i].closer >= 0;
        own += l->them[i].closer >= 0 && l->them[i].uid == uid;
    }
    return all < LEAVING_CLOSERS && own < LEAVING_CLOSERS_PER_UID;
}

int leaving_add(struct leaving *l, int fd, uid_t uid)
{
    int r;

    leaving_tidy(l);
    if (let_go_at_once(fd))
        return 0;
    r = may_have_closer(l, uid) ? let_go_later(fd) : -EBUSY;
    /* There are no more connections than that, and none is accepted when the list is full. */
    assert(l->n < LEAVING_ROOM);
    l->them[l->n].fd = r < 0 ? fd : -1;
    l->them[l->n].closer = r < 0 ? -1 : r;
    l->them[l->n++].uid = uid;
    return r < 0 ? r : 0;
}

void leaving_tidy(struct leaving *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        if (l->them[i].closer < 0 || !let_go_is_done(l->them[i].closer))
            l->them[n++] = l->them[i];
    l->n = n;
    for (size_t i = 0; i < l->n; i++) {
        if (l->them[i].fd < 0 || !may_have_closer(l, l->them[i].uid))
            continue;
        l->them[i].closer = let_go_later(l->them[i].fd);
        if (l->them[i].closer >= 0)
            l->them[i].fd = -1;
    }
}

bool leaving_is_full(const struct leaving *l)
{
    return l->n >= LEAVING_MAX;
}

size_t leaving_of(const struct leaving *l, uid_t uid)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += l->them[i].uid == uid;
    return n;
}

void leaving_done(struct leaving *l)
{
    for (size_t i = 0; i < l->n; i++)
        close_fd(l->them[i].closer);
    l->n = 0;
}

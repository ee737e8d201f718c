/*
 * Owns: the window of batches. Must not: forget a record before the centre has it.
 */
#include "courier/sender.h"

#include <string.h>

void sender_know(struct sender *s, uint64_t last, uint64_t acknowledged)
{
    s->last = last;
    s->acknowledged = acknowledged;
    if (s->next <= acknowledged)
        s->next = acknowledged + 1;
}

void sender_restart(struct sender *s)
{
    s->n = 0;
    s->next = s->acknowledged + 1;
    s->quiet_us = 0;
}

bool sender_wants(const struct sender *s, uint64_t now_us, uint64_t *ret_from)
{
    if (s->n == SENDER_WINDOW || s->next == 0 || s->next > s->last || now_us < s->quiet_us)
        return false;
    *ret_from = s->next;
    return true;
}

uint64_t sender_sent(struct sender *s, uint64_t first, uint64_t last, uint64_t now_us)
{
    s->under_way[s->n].ticket = ++s->tickets;
    s->under_way[s->n].first = first;
    s->under_way[s->n].sent_us = now_us;
    s->n++;
    s->next = last + 1;
    return s->tickets;
}

void sender_answered(struct sender *s, uint64_t ticket, bool stored, uint64_t now_us, uint64_t wait_us)
{
    unsigned i = 0;

    while (i < s->n && s->under_way[i].ticket != ticket)
        i++;
    if (i == s->n)
        return; /* of a connection before, or it came too late */
    if (stored) {
        s->n--;
        memmove(&s->under_way[i], &s->under_way[i + 1], (s->n - i) * sizeof(s->under_way[0]));
        return;
    }
    s->next = s->under_way[0].first > s->acknowledged ? s->under_way[0].first : s->acknowledged + 1;
    s->n = 0;
    s->quiet_us = now_us + wait_us;
}

bool sender_is_late(const struct sender *s, uint64_t now_us, uint64_t patience_us)
{
    return s->n > 0 && now_us - s->under_way[0].sent_us >= patience_us;
}

#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Which records go to the broker next. Pure: no clock, no socket. What the centre has acknowledged is where it begins anew after a connection was lost;
 * that the stream has stored something only makes room for more.
 */

enum {
    SENDER_WINDOW = 8 /* batches under way */
};

struct sender {
    uint64_t next;         /* record to be sent next */
    uint64_t last;         /* newest record there is */
    uint64_t acknowledged; /* by the centre */
    struct {
        uint64_t ticket, first, sent_us;
    } under_way[SENDER_WINDOW];
    unsigned n;
    uint64_t tickets;  /* given out */
    uint64_t quiet_us; /* boottime; nothing is sent before; 0: at once */
};

/* What kuraband says. */
void sender_know(struct sender *s, uint64_t last, uint64_t acknowledged);
/* A new connection. */
void sender_restart(struct sender *s);
/* Is there something to send, and room for it? ret: from which record on. */
bool sender_wants(const struct sender *s, uint64_t now_us, uint64_t *ret_from);
/* It goes: the ticket of the batch. Never more than were wanted. */
uint64_t sender_sent(struct sender *s, uint64_t first, uint64_t last, uint64_t now_us);
/* What became of one. stored: room for another. Not stored: everything from there on goes again, after wait_us. */
void sender_answered(struct sender *s, uint64_t ticket, bool stored, uint64_t now_us, uint64_t wait_us);
/* Is one without answer for longer than that? Then it is as if it was not stored. */
bool sender_is_late(const struct sender *s, uint64_t now_us, uint64_t patience_us);

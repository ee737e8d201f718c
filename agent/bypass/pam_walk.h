#pragma once

#include "bypass/pam_stack.h"

/* Every way through an auth stack that ends in success without pam_kuraban.so having said yes (pam_dispatch.c of Linux-PAM 1.5.2). */

enum pam_can { /* what a module may answer to somebody who is not root */
    PAM_CAN_ALL = 0,
    PAM_CAN_FAIL,    /* pam_deny.so, pam_rootok.so, a module that is not there */
    PAM_CAN_SUCCEED, /* pam_permit.so */
    PAM_CAN_CODE,    /* pam_kuraban.so */
    PAM_CAN_ONLY,    /* PAM_CAN_ONLY + n: n, a PAM return value, and nothing else */
};

enum pam_way {
    PAM_WAY_NONE = 1,   /* nobody asks for the code; module is the first one */
    PAM_WAY_SUFFICIENT, /* this module ends the stack before the code */
    PAM_WAY_JUMP,       /* this module jumps over it */
    PAM_WAY_WEAK,       /* pam_kuraban.so's line itself: a wrong code need not matter */
};

struct pam_ways {
    struct {
        size_t module;
        enum pam_way way;
    } * ways;
    size_t n;
    bool opens; /* somebody can get in at all */
    bool asks;  /* pam_kuraban.so can be reached */
};
void pam_ways_done(struct pam_ways *w);

/* can: one per module. 0, -ENOMEM, or -E2BIG for a stack with too many ways to follow. */
int pam_walk(const struct pam_stack *s, const enum pam_can *can, struct pam_ways *ret);

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Failing calls: malloc and its kin, what reads and writes files and sockets, what a PAM module asks of its host, and OpenSSL's functions
 * where our own code calls them (linker, --wrap: tests/CMakeLists.txt has the list); every allocation inside OpenSSL and libyaml through the hooks they have, inside jansson
 * through policy/trust/json_load.c.
 * Same seed, same calls, same faults. Nothing fails outside fault_begin() … fault_end().
 */

/* First thing in main(): OpenSSL takes its allocator once. 0, or -1 when it is too late for that. */
int fault_init(void);

struct fault_plan {
    uint64_t seed;
    unsigned one_in; /* each call fails one time in so many; 0: none does */
    uint64_t skip;   /* so many calls do not fail, whatever comes later */
    uint64_t nth;    /* not 0: exactly this call fails (the first is 1), whatever else stands here */
};
void fault_begin(const struct fault_plan *plan);

struct fault_account {
    uint64_t calls, faults;
    /* Blocks of memory taken and not given back in between: by our code and jansson; inside libyaml. OpenSSL keeps caches. */
    int64_t blocks, yaml_blocks;
};
struct fault_account fault_end(void);
/* In between, to look at something: nothing fails or counts, and then it goes on. */
void fault_pause(void);
void fault_go_on(void);

/* For further files of wrapped calls. Does this call fail? */
bool fault_fails(void);
uint64_t fault_random(void);  /* of the same seed */
void *fault_counted(void *p); /* a block that free() will give back; NULL is none */
void fault_forked(void);      /* in the child: it counts anew, its own nth call fails */
/* mfa_calls.c: SQLite's memory, and its calls of the kernel. First thing in main(). 0 or -1. */
int fault_init_sqlite(void);

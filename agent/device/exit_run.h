#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/exit.h"

/*
 * What kuraband and the udev helper tell each other, as files in the run directory (and the list once more in the state
 * directory, for the boot):
 *   media.mode         one word, below. Missing or unreadable means "on": without the daemon everything is refused.
 *   media/NAME-SEQ     this medium (kernel name, disk sequence number) is allowed: udev may show it
 *   exits.list         exit_list_add() format
 */

enum exit_mode {
    EXIT_MODE_ON = 0,
    EXIT_MODE_LISTED,  /* only what exits.list names; nothing else is touched */
    EXIT_MODE_MONITOR, /* policy mode monitor: exits are recognised, not set read-only and not hidden */
    EXIT_MODE_OFF,
    EXIT_MODE_COUNT_,
};
const char *exit_mode_name(enum exit_mode mode);
int exit_mode_parse(const char *name, enum exit_mode *ret);

enum {
    EXIT_ID_SIZE = BLOCK_NAME_SIZE + 24
};
void exit_id(const char *name, uint64_t diskseq, char ret[static EXIT_ID_SIZE]);

/* run: directory fd, or -1 for none. */
enum exit_mode exit_run_mode(int run);
int exit_run_set_mode(int run, enum exit_mode mode);
bool exit_run_permitted(int run, const char *id);
/* 1: changed, 0: was so already. */
int exit_run_permit(int run, const char *id, bool permit);
/* Removes the permissions of the media that are not present any more: keep(context, id) says which stay. */
int exit_run_sweep(int run, bool (*keep)(void *context, const char *id), void *context);
/* Adds the entries of exits.list; a missing file is 0 entries. */
int exit_run_list(int directory, struct exit_list *l);
int exit_run_set_list(int directory, const struct exit_list *l);

#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/login.h"

/* Marks a message for translation; words_render() fetches it. */
#define N_(message) (message)

enum {
    WORDS_SIZE = PAM_MAX_MSG_SIZE
};

/* What an outcome is called in the system's log, and what the person is told; NULL when there is nothing to tell. */
const char *words_name(enum ctl_login_outcome outcome);
const char *words_message(enum ctl_login_outcome outcome);

/* The message in the language of the person who logs in (LC_ALL, LC_MESSAGES, LANG: of the PAM environment, then of the process), with the
 * first %u in it replaced by number and the first %s by text. Always terminated. The host's locale is as before, in every thread. */
void words_render(pam_handle_t *pamh, const char *message, uint32_t number, const char *text,
                  char ret[static WORDS_SIZE]);

/* May this be the name of a locale? A path may not. */
bool words_is_locale(const char *name);

#pragma once

#include <security/pam_appl.h>
#include <stdbool.h>
#include <stddef.h>

/* A person at a login: answers prompts one after the other and remembers what was said. */

enum {
    FAKE_PAM_SAID = 16,
    FAKE_PAM_TEXT = 1024,
};

struct fake_person {
    const char *const *answers; /* NULL-terminated; after the last one the conversation fails */
    bool answers_null;          /* a prompt is answered by no response at all */
    bool leaves;                /* the conversation fails */
    size_t asked, said;
    struct {
        int style;
        char text[FAKE_PAM_TEXT];
    } heard[FAKE_PAM_SAID];
};

/* A transaction of the real libpam for a service without a stack, as the modules see it. Aborts when there is none. */
pam_handle_t *fake_pam_start(struct fake_person *person, const char *user);
void fake_pam_end(pam_handle_t *pamh);
/* Was something said in this style that contains text? */
bool fake_pam_heard(const struct fake_person *person, int style, const char *text);

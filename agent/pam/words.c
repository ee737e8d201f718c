/*
 * Owns: what the module says, and in which language. Must not: change the locale of its host (setlocale(3) is the
 * application's), format by what a catalogue says, or follow a path out of the environment.
 */
#include "pam/words.h"

#include <libintl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DOMAIN "kuraban"

static const char *const names[CTL_LOGIN_OUTCOMES_] = {
    [CTL_LOGIN_REFUSED] = "refused",
    [CTL_LOGIN_ACCEPTED] = "accepted",
    [CTL_LOGIN_WRONG] = "wrong",
    [CTL_LOGIN_USED] = "used",
    [CTL_LOGIN_WAIT] = "wait",
    [CTL_LOGIN_LOCKED] = "locked",
    [CTL_LOGIN_ROLLBACK] = "rollback",
    [CTL_LOGIN_NOT_ENROLLED] = "not-enrolled",
    [CTL_LOGIN_UNAVAILABLE] = "unavailable",
    [CTL_LOGIN_NEEDED] = "needed",
    [CTL_LOGIN_NOT_NEEDED] = "not-needed",
    [CTL_LOGIN_GRACE] = "grace",
    [CTL_LOGIN_SKEW] = "skew",
};

/* None of these may hold the word "password": SDDM takes such a prompt for the login's own. */
static const char *const messages[CTL_LOGIN_OUTCOMES_] = {
    [CTL_LOGIN_REFUSED] = N_("No code was given."),
    [CTL_LOGIN_WRONG] = N_("The code is wrong."),
    [CTL_LOGIN_USED] = N_("This code was used before. Wait for the next one."),
    [CTL_LOGIN_WAIT] = N_("Too many wrong codes. Try again in %u seconds."),
    [CTL_LOGIN_LOCKED] = N_("Too many wrong codes: locked. Ask your administrator."),
    [CTL_LOGIN_ROLLBACK] = N_("The clock of this terminal was set back by %u minutes. Ask your administrator."),
    [CTL_LOGIN_NOT_ENROLLED] = N_("No authenticator is registered for you. Ask your administrator."),
    [CTL_LOGIN_UNAVAILABLE] = N_("Codes cannot be verified now. Ask your administrator."),
    [CTL_LOGIN_GRACE] = N_("Register an authenticator within %u days: kuraban mfa enrol"),
    [CTL_LOGIN_SKEW] = N_("The clock of your authenticator and this terminal's are %u minutes apart."),
};

const char *words_name(enum ctl_login_outcome outcome)
{
    return names[outcome];
}

const char *words_message(enum ctl_login_outcome outcome)
{
    return messages[outcome];
}

bool words_is_locale(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-");

    return size > 0 && size <= 32 && name[size] == '\0';
}

/* In the order of setlocale(3). */
static const char *wanted_locale(pam_handle_t *pamh)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < ELEMENTS(variables); i++) {
        const char *value = pam_getenv(pamh, variables[i]);

        if (!value || !*value)
            value = getenv(variables[i]);
        if (value && *value)
            return words_is_locale(value) ? value : NULL;
    }
    return NULL;
}

static void fill_in(const char *message, uint32_t number, const char *text, char ret[static WORDS_SIZE])
{
    size_t used = 0;
    bool numbered = false, told = false;

    while (*message && used < WORDS_SIZE - 1) {
        size_t room = WORDS_SIZE - used;
        int n;

        if (!numbered && strncmp(message, "%u", 2) == 0) {
            n = snprintf(ret + used, room, "%u", number);
            numbered = true;
            message += 2;
        } else if (!told && strncmp(message, "%s", 2) == 0) {
            n = snprintf(ret + used, room, "%s", text);
            told = true;
            message += 2;
        } else {
            ret[used] = *message++;
            n = 1;
        }
        used += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
    }
    ret[used] = '\0';
}

void words_render(pam_handle_t *pamh, const char *message, uint32_t number, const char *text,
                  char ret[static WORDS_SIZE])
{
    const char *name = wanted_locale(pamh);
    locale_t own = name ? newlocale(LC_MESSAGES_MASK | LC_CTYPE_MASK, name, (locale_t)0) : (locale_t)0;
    locale_t before = (locale_t)0;

    if (own != (locale_t)0)
        before = uselocale(own);
    (void)bindtextdomain(DOMAIN, KURABAN_LOCALE_DIR);
    fill_in(dgettext(DOMAIN, message), number, text ? text : "", ret);
    if (own != (locale_t)0) {
        (void)uselocale(before);
        freelocale(own);
    }
}

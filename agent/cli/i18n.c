/*
 * Owns: which language the messages are in. Must not: take a directory from the environment when it runs with more rights
 * than its caller.
 */
#include "cli/i18n.h"

#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* In the order of setlocale(3). */
static const char *wanted_locale(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i]);

        if (value && *value)
            return value;
    }
    return NULL;
}

const char *i18n_translate(const char *message)
{
    return gettext(message);
}

/* A catalogue holds format strings: whoever chooses root's chooses what root's process does, and su(1) keeps this variable. */
static const char *catalogues(void)
{
    const char *directory = geteuid() == 0 ? NULL : secure_getenv("KURABAN_LOCALE_DIR");

    return directory && *directory ? directory : KURABAN_LOCALE_DIR;
}

void i18n_init(void)
{
    if (!setlocale(LC_ALL, "")) {
        const char *wanted = wanted_locale();

        /* A terminal set up for Japanese without the locale's data is common; LANGUAGE works in any locale but "C". */
        if (wanted && setlocale(LC_ALL, "C.UTF-8"))
            (void)setenv("LANGUAGE", wanted, 0);
    }
    (void)bindtextdomain("kuraban", catalogues());
    (void)bind_textdomain_codeset("kuraban", "UTF-8");
    (void)textdomain("kuraban");
}

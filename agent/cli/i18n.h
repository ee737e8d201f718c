#pragma once

#include <libintl.h>

/* Messages for people. N_() marks one that a table holds; _() fetches the translation when it is shown. */
#define _(message) gettext(message)
#ifndef N_
#    define N_(message) (message)
#endif

/* gettext() as a function, for what makes messages through a pointer. */
const char *i18n_translate(const char *message);

/* Takes the caller's locale and the translations. Where the locale's name asks for a language but the machine has no such
 * locale, the messages still come in that language. */
void i18n_init(void);

#pragma once

#include "fake/signed.h"

/* Everything that must not be accepted by the terminal of signed_settled(), with the one reason it is refused for. */
struct attack {
    const char *name;
    struct signed_bytes (*make)(void); /* the caller frees data */
    enum trust_result result;
};
extern const struct attack attacks_of_form[], attacks_of_content[];
extern const size_t attacks_of_form_n, attacks_of_content_n;

#pragma once

#include "cli/factor.h"

/* What an enrolment may be asked to do beside. */
struct factor_enrol {
    const char *svg, *png; /* files for the QR code; NULL: none */
    uint8_t algorithm, digits;
    uint16_t period;
};
enum {
    FACTOR_ENROL_SVG,
    FACTOR_ENROL_PNG,
    FACTOR_ENROL_ALGORITHM,
    FACTOR_ENROL_DIGITS,
    FACTOR_ENROL_COUNT
};
#define FACTOR_ENROL_OPTIONS                                                                                           \
    [FACTOR_ENROL_SVG] = {"svg", "FILE", N_("write the QR code to this new file as well (root)")},                     \
    [FACTOR_ENROL_PNG] = {"png", "FILE", N_("the same as PNG (root)")},                                                \
    [FACTOR_ENROL_ALGORITHM] = {"algorithm", "NAME", N_("SHA1 (default), SHA256 or SHA512; not every app can")},       \
    [FACTOR_ENROL_DIGITS] = {"digits", "N", N_("6 (default), 7 or 8; not every app can")}

/* Judges the options before anything happens. */
enum cli_exit factor_enrol_options(struct cli *c, const struct cli_arguments *a, struct factor_enrol *ret);
/* The whole conversation. Recovery codes come to standard output. */
enum cli_exit factor_enrol(struct cli *c, const struct factor_person *p, const struct factor_enrol *options);

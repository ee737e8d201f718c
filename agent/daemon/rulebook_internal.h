#pragma once

#include "daemon/rulebook.h"
#include "policy/findings.h"

/* For rulebook.c (the document and the unsigned file) and rulebook_signed.c (what comes in bundles) only. */

#define RULEBOOK_COPY "policy.last-good.yaml"

struct rulebook {
    struct rulebook_options options;
    /* Who this terminal is: as the options say, or as it was told since. */
    const char *terminal;
    const char *const *groups;
    size_t n_groups;
    struct trusted *trusted;
    struct policy *policy, *before;
    enum rulebook_source source;
    uint8_t *document;
    size_t document_size;
    struct policy_findings findings;
    char complaint[512];
    bool kept;
};

/* Parses, checks and resolves. 0, RULEBOOK_E_REFUSED with findings and complaint, -errno. */
int rulebook_load(struct rulebook *b, const uint8_t *bytes, size_t size, struct policy **ret);
void rulebook_forget_findings(struct rulebook *b);
/* Takes over p and bytes. */
void rulebook_rule_by(struct rulebook *b, struct policy *p, uint8_t *bytes, size_t size, enum rulebook_source source);
/* Reads, checks and resolves a file; changes the rulebook only when all of it went well. wall_us 0: scope and valid.from are not asked;
 * what ruled once rules again, also when the clock has lost its battery. */
int rulebook_take(struct rulebook *b, int dirfd, const char *name, enum rulebook_source source, int64_t wall_us);
/* For a start without the file, or with a root and nothing signed yet. 0 or -errno. */
int rulebook_keep_copy(struct rulebook *b);
bool rulebook_is_signed_only(const struct rulebook *b);
/* RULEBOOK_E_UNSIGNED, with the complaint. */
int rulebook_refuse_unsigned(struct rulebook *b);

/* The rulebook_open() of a terminal with a root. */
int rulebook_open_signed(struct rulebook *b);

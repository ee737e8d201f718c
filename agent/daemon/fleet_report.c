/*
 * Owns: what this terminal says of itself to its centre: what rules, and what became of the bundle that came last. Signed by the journal's key.
 * Must not: say anything of what was sent instead of what rules.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "audit/key.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "daemon/daemon.h"
#include "daemon/fleet.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

enum {
    OS_RELEASE_MAX = 16 * 1024
};

/* The texts that a report borrows. */
struct texts {
    char organization[FLEET_TEXT_SIZE], agent[FLEET_TEXT_SIZE], kernel[FLEET_TEXT_SIZE], policy[FLEET_TEXT_SIZE],
        group[FLEET_TEXT_SIZE];
};

/* PRETTY_NAME of os-release(5), as it stands between its quotes. */
static int read_system(char ret[static FLEET_TEXT_SIZE])
{
    _cleanup_free_ uint8_t *bytes = NULL;
    static const char key[] = "\nPRETTY_NAME=";
    size_t size = 0;
    int r = files_read_at(AT_FDCWD, "/usr/lib/os-release", OS_RELEASE_MAX, &bytes, &size);
    char *at = r < 0 ? NULL : strstr((char *)bytes, key);

    if (r == -ENOMEM)
        return r;
    if (!at && r >= 0 && strncmp((char *)bytes, key + 1, strlen(key + 1)) == 0)
        at = (char *)bytes - 1;
    if (!at)
        return fleet_text("", ret);
    at += strlen(key);
    at += *at == '"' || *at == '\'';
    at[strcspn(at, "\"'\n")] = '\0';
    return fleet_text(at, ret);
}

/* "6d012a34-8c0b-…" */
static int read_boot(const struct daemon *d, uint8_t ret[static FLEET_ID128_SIZE])
{
    _cleanup_free_ char *text = NULL;
    char *to;
    int r = files_read_text_at(d->proc_fd, "sys/kernel/random/boot_id", 64, &text);

    if (r < 0)
        return r;
    to = text;
    for (const char *from = text; *from; from++)
        if (*from != '-')
            *to++ = *from;
    *to = '\0';
    return fleet_id128_read(text, ret);
}

static enum fleet_source source_of(enum rulebook_source source)
{
    switch (source) {
    case RULEBOOK_FILE:
        return FLEET_SOURCE_FILE;
    case RULEBOOK_LAST_GOOD:
        return FLEET_SOURCE_LAST_GOOD;
    case RULEBOOK_SIGNED:
        return FLEET_SOURCE_SIGNED;
    case RULEBOOK_NONE:
    default:
        return FLEET_SOURCE_NONE;
    }
}

static int add_policy(const struct daemon *d, struct texts *t, struct fleet_report *r)
{
    const struct policy *p = rulebook_policy(d->rulebook);
    const struct trust_state *s = trusted_state(rulebook_trusted(d->rulebook));
    const struct trust_head *head = s ? trust_state_head(s) : NULL;
    int e = s ? fleet_text(trust_state_root(s)->organization, t->organization) : 0;

    r->organization = s ? t->organization : NULL;
    r->has_policy = rulebook_source(d->rulebook) != RULEBOOK_NONE;
    if (e == 0 && r->has_policy) {
        e = fleet_text(p->name, t->policy);
        r->policy.name = t->policy;
        r->policy.version = p->version;
        r->policy.sha256 = p->sha256;
        r->policy.source = source_of(rulebook_source(d->rulebook));
    }
    r->has_head = head != NULL;
    if (e == 0 && head) {
        e = fleet_text(head->group, t->group);
        r->head.group = t->group;
        r->head.version = head->version;
    }
    return e;
}

static int add_machine(struct daemon *d, struct texts *t, struct fleet_report *r)
{
    struct utsname u;
    int e = uname(&u) < 0 ? -errno : fleet_text(u.release, t->kernel);

    if (e == 0 && d->fleet->system[0] == '\0')
        e = read_system(d->fleet->system);
    if (e == 0)
        e = fleet_text(KURABAN_VERSION, t->agent);
    if (e == 0)
        e = read_boot(d, r->boot);
    r->versions.agent = t->agent;
    r->versions.kernel = t->kernel;
    r->versions.system = d->fleet->system;
    return e;
}

int fleet_report(struct daemon *d, uint8_t **ret, size_t *ret_size)
{
    struct fleet *f = d->fleet;
    const struct fleet_membership *held = member_membership(f->member);
    struct fleet_statement s = {.kind = FLEET_REPORT};
    struct fleet_report *r = &s.report;
    struct trust_complaint complaint = {0};
    struct texts t;
    int e = add_policy(d, &t, r);

    if (e == 0)
        e = add_machine(d, &t, r);
    if (e < 0)
        return e;
    memcpy(r->terminal, member_terminal(f->member), sizeof(r->terminal));
    r->sequence = f->reports + 1;
    r->issued_us = clock_wall_us();
    r->journal.sequence = recorder_durable(d->recorder, &r->journal.hash);
    r->membership = held ? held->serial : 0;
    r->has_outcome = f->outcome.any;
    r->outcome.bundle = f->outcome.bundle;
    r->outcome.status = f->outcome.reason[0] ? FLEET_STATUS_FAILED : FLEET_STATUS_APPLIED;
    r->outcome.reason = f->outcome.reason[0] ? f->outcome.reason : NULL;
    /* Nothing is on disk yet: there is nothing to report from. */
    if (r->journal.sequence == 0)
        return -EAGAIN;
    e = fleet_statement_seal(&s, journal_key_signer(recorder_signer(d->recorder)), ret, ret_size, &complaint);
    if (e != 0)
        return e < 0 ? e : -EINVAL;
    f->reports++;
    return 0;
}

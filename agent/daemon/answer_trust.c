/*
 * What is signed and by whom, as JSON: for status, and for the journal. Reads, changes nothing.
 */
#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/rulebook.h"
#include "json/whole.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

static json_t *time_of(int64_t wall_us)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(wall_us, text);
    return json_string(text);
}

static json_t *digest_of(const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(digest, hex);
    return json_string(hex);
}

static json_t *signers_of(const struct trust_state *s)
{
    const struct trust_key *signers[TRUST_SIGNATURES_MAX];
    size_t n = trust_state_signers(s, signers);
    json_t *array = json_array();

    for (size_t i = 0; array && i < n; i++)
        whole_add(&array, json_pack("{s:o, s:o}", "name", answer_foreign_text(signers[i]->name), "key",
                                    digest_of(&signers[i]->id)));
    return array;
}

json_t *answer_terminal(const struct daemon *d)
{
    const char *terminal = rulebook_terminal(d->rulebook);
    json_t *list = json_array();
    const char *const *groups;
    size_t n = 0;

    groups = rulebook_groups(d->rulebook, &n);
    for (size_t i = 0; i < n; i++)
        whole_add(&list, answer_foreign_text(groups[i]));
    return json_pack("{s:o, s:o}", "id", terminal ? answer_foreign_text(terminal) : json_null(), "groups", list);
}

json_t *answer_trust_record(const struct rulebook *b)
{
    const struct trust_state *s = trusted_state(rulebook_trusted(b));
    const struct policy *p = rulebook_policy(b);

    if (!s)
        return json_null();
    if (trust_state_policy_version(s) == 0)
        return json_pack("{s:o, s:I}", "organization", answer_foreign_text(trust_state_root(s)->organization),
                         "root_version", (json_int_t)trust_state_root(s)->version);
    return json_pack("{s:o, s:I, s:{s:o, s:I, s:o}, s:o}", "organization",
                     answer_foreign_text(trust_state_root(s)->organization), "root_version",
                     (json_int_t)trust_state_root(s)->version, "policy", "name", answer_foreign_text(p->name),
                     "version", (json_int_t)p->version, "sha256", digest_of(&p->sha256), "signers", signers_of(s));
}

static json_t *head_of(const struct trust_state *s, const struct expiry *end, int64_t now)
{
    const struct trust_head *h = trust_state_head(s);

    if (!h)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:b, s:b}", "version", (json_int_t)h->version, "group",
                     answer_foreign_text(h->group), "expires", time_of(h->expires_us), "expired",
                     expiry_is_over(end, now), "expires_soon", expiry_is_soon(end, now));
}

json_t *answer_trust(const struct daemon *d)
{
    const struct trusted *t = rulebook_trusted(d->rulebook);
    const struct trust_state *s = trusted_state(t);
    int64_t now = rulebook_time(d->rulebook, clock_wall_us());
    struct expiry ends[EXPIRY_COUNT_];

    if (trusted_condition(t) == TRUSTED_NONE)
        return json_null();
    if (!s)
        return json_pack("{s:s, s:o}", "state", "damaged", "complaint", answer_foreign_text(trusted_complaint(t)));
    expiry_read(d->rulebook, ends);
    return json_pack("{s:s, s:o, s:{s:I, s:o, s:b, s:b}, s:o, s:o}", "state", "good", "organization",
                     answer_foreign_text(trust_state_root(s)->organization), "root", "version",
                     (json_int_t)trust_state_root(s)->version, "expires", time_of(trust_state_root(s)->expires_us),
                     "expired", expiry_is_over(&ends[EXPIRY_ROOT], now), "expires_soon",
                     expiry_is_soon(&ends[EXPIRY_ROOT], now), "signers", signers_of(s), "head",
                     head_of(s, &ends[EXPIRY_HEAD], now));
}

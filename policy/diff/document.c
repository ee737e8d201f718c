/*
 * Owns: what the document says of itself and of the terminal as a whole: whose, for whom, how long, mode, mounts, journal.
 * Must not: compare rules.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/index.h"
#include "policy/show.h"

static int copy_text(const char *text, char **ret)
{
    *ret = NULL;
    if (!text || !*text)
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

/* One key that has another value; nothing when effect says so and the words are the same. */
static int tell(struct diff *d, enum diff_area area, const char *key, const char *before, const char *after,
                enum diff_effect effect)
{
    struct diff_change *c;
    char *was = NULL, *is = NULL;

    if (text_equal(before ? before : "", after ? after : ""))
        return 0;
    if (copy_text(before, &was) < 0 || copy_text(after, &is) < 0) {
        free(was);
        return -ENOMEM;
    }
    c = diff_add(d, area, DIFF_CHANGED, "");
    if (!c) {
        free(was);
        free(is);
        return -ENOMEM;
    }
    c->effect = effect;
    return diff_add_detail(c, key, was, is, effect);
}

/* The same of values that are put into words first; takes both. */
static int tell_taken(struct diff *d, enum diff_area area, const char *key, char *before, char *after,
                      enum diff_effect effect)
{
    int r = before && after ? tell(d, area, key, before, after, effect) : -ENOMEM;

    free(before);
    free(after);
    return r;
}

static char *number_words(uint64_t number)
{
    char *text = NULL;

    return asprintf(&text, "%" PRIu64, number) < 0 ? NULL : text;
}

static char *time_words(int64_t at)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    if (at != 0)
        policy_show_time(w.out, at);
    return words_end(&w);
}

static char *size_words(uint64_t size)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    if (size != 0)
        policy_show_size(w.out, size);
    return words_end(&w);
}

static char *days_words(int64_t days)
{
    char *text = NULL;

    return asprintf(&text, "%" PRIi64 "d", days) < 0 ? NULL : text;
}

/* Empty: the policy is for all. */
static char *scope_words(const struct policy *p)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    policy_show_who(w.out, &(struct policy_who){.groups = p->scope_groups}, 0);
    if (p->scope_terminals.n > 0) {
        (void)fputs(p->scope_groups.n > 0 ? "; terminals " : "terminals ", w.out);
        policy_show_strings(w.out,
                            &(struct policy_strings){
                                .items = p->scope_terminals.items, .n = p->scope_terminals.n, .op = POLICY_SET_ONE_OF},
                            0);
    }
    return words_end(&w);
}

static enum diff_effect diff_scope(const struct policy *a, const struct policy *b)
{
    return diff_same_strings(&a->scope_groups, &b->scope_groups) &&
                   diff_same_strings(&a->scope_terminals, &b->scope_terminals)
               ? DIFF_NONE
               : DIFF_OTHER;
}

/* A version that does not rise is refused by terminals that hold the other. */
static int diff_version(struct diff *d, const struct policy *a, const struct policy *b)
{
    return tell_taken(d, DIFF_DOCUMENT, "version", number_words(a->version), number_words(b->version),
                      b->version > a->version ? DIFF_NONE : DIFF_OTHER);
}

int diff_document(struct diff *d, const struct policy *a, const struct policy *b)
{
    int r = tell(d, DIFF_DOCUMENT, "organization", a->organization, b->organization, DIFF_OTHER);

    if (r == 0)
        r = tell(d, DIFF_DOCUMENT, "name", a->name, b->name, DIFF_NONE);
    if (r == 0)
        r = diff_version(d, a, b);
    if (r == 0)
        r = tell_taken(d, DIFF_DOCUMENT, "scope", scope_words(a), scope_words(b), diff_scope(a, b));
    if (r == 0)
        r = tell_taken(d, DIFF_DOCUMENT, "valid.from", time_words(a->valid_from_us), time_words(b->valid_from_us),
                       DIFF_OTHER);
    if (r == 0)
        r = tell_taken(d, DIFF_DOCUMENT, "valid.until", time_words(a->valid_until_us), time_words(b->valid_until_us),
                       DIFF_OTHER);
    /* What the zone sets is told where it is set. */
    if (r == 0)
        r = tell(d, DIFF_DOCUMENT, "zone", policy_zone_name(a->zone), policy_zone_name(b->zone), DIFF_OTHER);
    if (r == 0)
        r = tell(d, DIFF_DOCUMENT, "mode", policy_mode_name(a->mode), policy_mode_name(b->mode),
                 diff_number(a->mode == POLICY_MONITOR, b->mode == POLICY_MONITOR));
    if (r == 0)
        r = tell(d, DIFF_MEDIA, "media.exec", a->media.exec ? "allow" : "refuse", b->media.exec ? "allow" : "refuse",
                 diff_number(a->media.exec, b->media.exec));
    return r;
}

/* --- network and FUSE --- */

/* Sources and types that stand in one list and not in the other; where all are permitted they permit nothing more. */
static int tell_listed(struct diff *d, const char *subject, const struct policy_strings *more,
                       const struct policy_strings *less, bool is, enum diff_effect effect)
{
    struct diff_change *c = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < more->n; i++) {
        char *words;

        if (policy_strings_has(less, more->items[i]))
            continue;
        c = c ? c : diff_add(d, DIFF_MOUNTS, is ? DIFF_PERMITTED : DIFF_REFUSED, subject);
        words = c ? strdup(more->items[i]) : NULL;
        if (!words)
            return -ENOMEM;
        c->effect = effect;
        r = diff_add_detail(c, "allow", is ? NULL : words, is ? words : NULL, effect);
    }
    return r;
}

static int diff_mount(struct diff *d, const char *key, enum policy_allow a, const struct policy_strings *listed_a,
                      enum policy_allow b, const struct policy_strings *listed_b)
{
    int r = tell(d, DIFF_MOUNTS, key, policy_allow_name(a), policy_allow_name(b), diff_number(a, b));

    if (r == 0)
        r = tell_listed(d, key, listed_b, listed_a, true,
                        a != POLICY_REFUSE || b != POLICY_REFUSE ? DIFF_NONE : DIFF_WIDER);
    if (r == 0)
        r = tell_listed(d, key, listed_a, listed_b, false, b != POLICY_REFUSE ? DIFF_NONE : DIFF_NARROWER);
    return r;
}

int diff_mounts(struct diff *d, const struct policy *a, const struct policy *b)
{
    const struct policy_media *x = &a->media, *y = &b->media;
    int r = diff_mount(d, "media.network", x->network, &x->network_allow, y->network, &y->network_allow);

    return r == 0 ? diff_mount(d, "media.fuse", x->fuse, &x->fuse_allow, y->fuse, &y->fuse_allow) : r;
}

/* --- the second factor --- */

static char *login_words(const struct policy_mfa *m)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    policy_show_login(w.out, m, 0);
    return words_end(&w);
}

static char *throttle_words(const struct policy_mfa *m)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    policy_show_throttle(w.out, m);
    return words_end(&w);
}

static enum diff_effect diff_login(const struct policy_mfa *a, const struct policy_mfa *b)
{
    enum diff_effect e;

    if (!a->login || !b->login)
        return diff_number(!a->login, !b->login);
    /* Who is asked, and where: the more, the narrower. */
    e = diff_reverse(diff_join(diff_strings(&a->services, &b->services), diff_who(&a->who, &b->who)));
    e = diff_join(e, diff_number((uint64_t)a->grace_us, (uint64_t)b->grace_us));
    return diff_join(e, a->factors == b->factors ? DIFF_NONE : DIFF_OTHER);
}

static uint64_t lock_of(const struct policy_mfa *m)
{
    return m->lock_us > 0 ? (uint64_t)m->lock_us : UINT64_MAX;
}

static enum diff_effect diff_throttle(const struct policy_mfa *a, const struct policy_mfa *b)
{
    return diff_join(diff_join(diff_number(a->failures, b->failures), diff_number(!a->delay, !b->delay)),
                     diff_number(lock_of(b), lock_of(a)));
}

int diff_mfa(struct diff *d, const struct policy *a, const struct policy *b)
{
    const struct policy_mfa *x = &a->mfa, *y = &b->mfa;
    int r = tell_taken(d, DIFF_MFA, "mfa.login", login_words(x), login_words(y), diff_login(x, y));

    if (r == 0)
        r = tell(d, DIFF_MFA, "mfa.enrol", policy_enrol_name(x->enrol), policy_enrol_name(y->enrol),
                 diff_number(x->enrol, y->enrol));
    if (r == 0)
        r = tell_taken(d, DIFF_MFA, "mfa.throttle", throttle_words(x), throttle_words(y), diff_throttle(x, y));
    if (r == 0)
        r = tell_taken(d, DIFF_MFA, "mfa.window", number_words(x->window), number_words(y->window),
                       diff_number(x->window, y->window));
    return r;
}

/* --- the journal --- */

/* How much a full journal still refuses. */
static uint64_t laxness(enum policy_when_full full)
{
    return full == POLICY_FULL_REFUSE_ALL ? 0 : full == POLICY_FULL_REFUSE_EXPORT ? 1 : 2;
}

int diff_audit(struct diff *d, const struct policy *a, const struct policy *b)
{
    const struct policy_audit *x = &a->audit, *y = &b->audit;
    /* Records that go earlier protect less. */
    int r = tell_taken(d, DIFF_AUDIT, "audit.keep", days_words(x->keep_days), days_words(y->keep_days),
                       diff_reverse(diff_number((uint64_t)x->keep_days, (uint64_t)y->keep_days)));

    if (r == 0)
        r = tell(d, DIFF_AUDIT, "audit.when-full", policy_when_full_name(x->when_full),
                 policy_when_full_name(y->when_full), diff_number(laxness(x->when_full), laxness(y->when_full)));
    if (r == 0)
        r = tell_taken(d, DIFF_AUDIT, "audit.total-size", size_words(x->total_size), size_words(y->total_size),
                       DIFF_OTHER);
    if (r == 0)
        r = tell_taken(d, DIFF_AUDIT, "audit.segment-size", size_words(x->segment_size), size_words(y->segment_size),
                       DIFF_NONE);
    return r;
}

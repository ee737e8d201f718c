/*
 * Owns: writing what people show, give and get (unlocking, taking out, logging in) back in the words of the document.
 * Must not: translate or decide.
 */
#include <inttypes.h>

#include "base/cleanup.h"
#include "policy/show.h"

const char *policy_container_name(enum policy_container container)
{
    static const char *const names[] = {[POLICY_CONTAINER_ZIP_AES256] = "zip-aes256",
                                        [POLICY_CONTAINER_LUKS] = "luks",
                                        [POLICY_CONTAINER_PLAIN] = "plain"};

    return (unsigned)container < ELEMENTS(names) ? names[container] : "?";
}

const char *policy_enrol_name(enum policy_enrol enrol)
{
    static const char *const names[] = {
        [POLICY_ENROL_ROOT] = "root", [POLICY_ENROL_SELF] = "self", [POLICY_ENROL_FIRST_LOGIN] = "first-login"};

    return (unsigned)enrol < ELEMENTS(names) ? names[enrol] : "?";
}

void policy_show_factors(FILE *out, uint8_t factors)
{
    bool password = (factors & POLICY_FACTOR_PASSWORD) != 0, totp = (factors & POLICY_FACTOR_TOTP) != 0;

    (void)fprintf(out, "%s%s%s", password ? "password" : "", password && totp ? ", " : "", totp ? "totp" : "");
    if (!password && !totp)
        (void)fputs("none", out);
}

void policy_show_duration(FILE *out, int64_t us)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t seconds = us / 1000000;

    for (size_t i = 0; seconds > 0 && i < ELEMENTS(units); i++)
        if (seconds % units[i].seconds == 0) {
            (void)fprintf(out, "%" PRIi64 "%c", seconds / units[i].seconds, units[i].unit);
            return;
        }
    (void)fputc('0', out);
}

void policy_show_approvals(FILE *out, unsigned approvals, const struct policy_who *approvers, size_t limit)
{
    (void)fprintf(out, "%u", approvals);
    if (approvals == 0 || !approvers->restricted)
        return;
    (void)fputs(" (", out);
    policy_show_who(out, approvers, limit);
    (void)fputc(')', out);
}

static void show_given(FILE *out, uint8_t factors, unsigned approvals, const struct policy_who *approvers, size_t limit)
{
    policy_show_factors(out, factors);
    if (approvals == 0)
        return;
    (void)fputs("; approvals ", out);
    policy_show_approvals(out, approvals, approvers, limit);
}

void policy_show_unlock(FILE *out, const struct policy_unlock *unlock, size_t limit)
{
    if (!unlock->needed)
        return;
    show_given(out, unlock->factors, unlock->approvals, &unlock->approvers, limit);
    (void)fputs("; for ", out);
    policy_show_duration(out, unlock->for_us);
}

static void show_list(FILE *out, const struct policy_strings *s, size_t limit)
{
    policy_show_strings(out, &(struct policy_strings){.items = s->items, .n = s->n, .op = POLICY_SET_ONE_OF}, limit);
}

void policy_show_sources(FILE *out, const struct policy_export_rule *r, size_t limit)
{
    if (r->from.n > 0 || r->elsewhere) {
        (void)fputs("from ", out);
        show_list(out, &r->from, limit);
        (void)fprintf(out, "%s%s", r->from.n > 0 && r->elsewhere ? ", " : "", r->elsewhere ? "elsewhere" : "");
    }
    if (r->classes.n > 0) {
        (void)fputs(r->elsewhere ? "; classes " : "classes ", out);
        show_list(out, &r->classes, limit);
    }
}

void policy_show_day(FILE *out, const struct policy_export_rule *r)
{
    if (r->day_files > 0)
        (void)fprintf(out, "files %" PRIu64, r->day_files);
    if (r->day_bytes > 0) {
        (void)fputs(r->day_files > 0 ? ", bytes " : "bytes ", out);
        policy_show_size(out, r->day_bytes);
    }
}

void policy_show_demands(FILE *out, const struct policy_export_rule *r, size_t limit)
{
    show_given(out, r->factors, r->approvals, &r->approvers, limit);
    (void)fprintf(out, "; %s", policy_container_name(r->container));
}

void policy_show_login(FILE *out, const struct policy_mfa *mfa, size_t limit)
{
    if (!mfa->login)
        return;
    (void)fputs("services ", out);
    if (mfa->services.n > 0)
        show_list(out, &mfa->services, limit);
    else
        (void)fputc('*', out);
    if (mfa->who.restricted) {
        (void)fputs("; who ", out);
        policy_show_who(out, &mfa->who, limit);
    }
    (void)fputs("; ", out);
    policy_show_factors(out, mfa->factors);
    (void)fputs("; grace ", out);
    policy_show_duration(out, mfa->grace_us);
}

void policy_show_throttle(FILE *out, const struct policy_mfa *mfa)
{
    (void)fprintf(out, "failures %u; delay %s; lock ", mfa->failures, mfa->delay ? "exponential" : "none");
    if (mfa->lock_us > 0)
        policy_show_duration(out, mfa->lock_us);
    else
        (void)fputs("until-root", out);
}

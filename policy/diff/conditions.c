/*
 * Owns: what it means when a condition says otherwise: more people, fewer hours, a later end.
 * Must not: put words to it, or know of which rule it is.
 */
#include "decide/match.h"
#include "policy/covers.h"
#include "policy/diff/internal.h"
#include "policy/index.h"

static enum diff_effect by_inclusion(bool a_in_b, bool b_in_a)
{
    if (a_in_b && b_in_a)
        return DIFF_NONE;
    return a_in_b ? DIFF_WIDER : b_in_a ? DIFF_NARROWER : DIFF_OTHER;
}

enum diff_effect diff_reverse(enum diff_effect e)
{
    return e == DIFF_WIDER ? DIFF_NARROWER : e == DIFF_NARROWER ? DIFF_WIDER : e;
}

enum diff_effect diff_number(uint64_t a, uint64_t b)
{
    return by_inclusion(a <= b, b <= a);
}

enum diff_effect diff_end(int64_t a, int64_t b)
{
    return diff_number(a != 0 ? (uint64_t)a : UINT64_MAX, b != 0 ? (uint64_t)b : UINT64_MAX);
}

static bool has_all(const struct policy_strings *outer, const struct policy_strings *inner)
{
    for (size_t i = 0; i < inner->n; i++)
        if (!policy_strings_has(outer, inner->items[i]))
            return false;
    return true;
}

/* The order of values matters under no operator of strings: a device has one value only. */
bool diff_same_strings(const struct policy_strings *a, const struct policy_strings *b)
{
    return a->n == b->n && (a->n == 0 || a->op == b->op) && has_all(a, b) && has_all(b, a);
}

enum diff_effect diff_strings(const struct policy_strings *a, const struct policy_strings *b)
{
    if (a->n == 0 || b->n == 0)
        return by_inclusion(b->n == 0, a->n == 0);
    if (a->op == POLICY_SET_NONE_OF && b->op == POLICY_SET_NONE_OF)
        return by_inclusion(has_all(a, b), has_all(b, a));
    if (policy_is_choice(a->op, a->n) && policy_is_choice(b->op, b->n))
        return by_inclusion(has_all(b, a), has_all(a, b));
    return diff_same_strings(a, b) ? DIFF_NONE : DIFF_OTHER;
}

enum diff_effect diff_who(const struct policy_who *a, const struct policy_who *b)
{
    if (!a->restricted || !b->restricted)
        return by_inclusion(!b->restricted, !a->restricted);
    return by_inclusion(has_all(&b->users, &a->users) && has_all(&b->groups, &a->groups),
                        has_all(&a->users, &b->users) && has_all(&a->groups, &b->groups));
}

enum diff_effect diff_approvals(unsigned a, const struct policy_who *approvers_a, unsigned b,
                                const struct policy_who *approvers_b)
{
    enum diff_effect number = diff_number(b, a);

    /* Without approvals nobody is asked, whoever is named. */
    return a == 0 || b == 0 ? number : diff_join(number, diff_who(approvers_a, approvers_b));
}

enum diff_effect diff_unlock(const struct policy_unlock *a, const struct policy_unlock *b)
{
    if (!a->needed || !b->needed)
        return by_inclusion(!b->needed, !a->needed);
    return diff_join(diff_approvals(a->approvals, &a->approvers, b->approvals, &b->approvers),
                     diff_join(diff_number((uint64_t)a->for_us, (uint64_t)b->for_us),
                               by_inclusion((b->factors & ~a->factors) == 0, (a->factors & ~b->factors) == 0)));
}

/* Every minute of a week is asked: nights and days of the week overlap in too many ways to reason about. */
enum diff_effect diff_when(const struct policy_when *a, const struct policy_when *b)
{
    bool a_in_b = true, b_in_a = true;

    if (a->restricted == b->restricted &&
        (!a->restricted || (a->days == b->days && a->from == b->from && a->to == b->to)))
        return DIFF_NONE;
    for (uint8_t day = 0; day < 7; day++)
        for (int16_t minute = 0; minute < 24 * 60; minute++) {
            const struct decide_time now = {.weekday = day, .minute = minute};
            bool in_a = match_when(a, &now), in_b = match_when(b, &now);

            a_in_b = a_in_b && (!in_a || in_b);
            b_in_a = b_in_a && (!in_b || in_a);
        }
    return by_inclusion(a_in_b, b_in_a);
}

static bool same_interface(const struct policy_interface *a, const struct policy_interface *b)
{
    return a->class_ == b->class_ && a->any_subclass == b->any_subclass && a->any_protocol == b->any_protocol &&
           (a->any_subclass || a->subclass == b->subclass) && (a->any_protocol || a->protocol == b->protocol);
}

bool diff_same_interfaces(const struct policy_interfaces *a, const struct policy_interfaces *b)
{
    if (a->n != b->n || (a->n > 0 && a->op != b->op))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_interface(&a->items[i], &b->items[i]))
            return false;
    return true;
}

/* A plain list of what is authorized; empty: all of the device. */
enum diff_effect diff_interfaces(const struct policy_interfaces *a, const struct policy_interfaces *b)
{
    if (a->n == 0 || b->n == 0)
        return by_inclusion(b->n == 0, a->n == 0);
    return by_inclusion(covers_interface_list(b, a), covers_interface_list(a, b));
}

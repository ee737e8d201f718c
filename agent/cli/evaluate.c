/* Owns: the order in which a device, its medium and a file on it are decided. Must not: gather facts, or put words to them. */
#include "cli/evaluate.h"

#include "base/cleanup.h"

const char *evaluate_object_name(enum evaluate_object object)
{
    static const char *const names[] = {[EVALUATE_USB] = "usb",
                                        [EVALUATE_MEDIUM] = "medium",
                                        [EVALUATE_MOUNT] = "mount",
                                        [EVALUATE_FILE] = "file",
                                        [EVALUATE_EXPORT] = "export"};

    return (unsigned)object < ELEMENTS(names) && names[object] ? names[object] : "none";
}

const char *evaluate_verdict_name(const struct verdict *v)
{
    if (v->kind == VERDICT_ALLOW && v->ruled != VERDICT_ALLOW)
        return "would-refuse";
    return verdict_kind_name(v->kind);
}

static struct verdict *add_step(struct evaluate_steps *s, enum evaluate_object object)
{
    struct evaluate_step *step = &s->items[s->n++];

    *step = (struct evaluate_step){.object = object};
    return &step->verdict;
}

/* The rule by which files may be taken out to what was decided last, NULL: none. */
static const char *target_of(const struct verdict *v)
{
    return v && v->ruled == VERDICT_ALLOW && v->allow == POLICY_EXPORT ? v->rule : NULL;
}

void evaluate(const struct policy *p, const struct evaluate_facts *facts, struct evaluate_steps *ret)
{
    struct evaluate_steps s = {.medium = facts->medium};
    struct decide_open_facts open = facts->open;
    struct verdict *last = NULL;

    if (facts->has_usb) {
        last = add_step(&s, EVALUATE_USB);
        decide_usb(p, &facts->usb, last);
        s.medium.usb_rule = last->rule;
    }
    if (facts->has_medium && (!last || last->kind == VERDICT_ALLOW)) {
        last = add_step(&s, EVALUATE_MEDIUM);
        decide_medium(p, &s.medium, last);
        open.kind = DECIDE_OBJECT_MEDIUM;
        open.medium = last;
        open.medium_bus = s.medium.bus;
    }
    if (facts->has_export && last && last->kind == VERDICT_ALLOW) {
        s.export = facts->export;
        s.export.target = target_of(last);
        decide_export(p, &s.export, add_step(&s, EVALUATE_EXPORT));
        *ret = s;
        return;
    }
    if (facts->has_mount) {
        last = add_step(&s, EVALUATE_MOUNT);
        decide_mount(p, &facts->mount, last);
    } else if (facts->has_open &&
               (!last || (facts->has_medium && last->kind == VERDICT_ALLOW && s.n > facts->has_usb))) {
        decide_open(p, &open, add_step(&s, EVALUATE_FILE));
    }
    *ret = s;
}

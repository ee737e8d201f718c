/*
 * Owns: the few keys of usbguard-daemon.conf that matter for an import. Must not: know the rest of them; who may talk to the daemon and
 * where it logs is no policy of devices.
 */
#include "policy/import_conf.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/import_usbguard.h"

#define REASON(name) (UINT32_C(1) << POLICY_IMPORT_##name)

struct word {
    const char *text;
    size_t size;
};

static struct word trimmed(const char *from, const char *to)
{
    while (from < to && strchr(" \t\r", *from) && *from)
        from++;
    while (to > from && strchr(" \t\r", to[-1]) && to[-1])
        to--;
    return (struct word){from, (size_t)(to - from)};
}

static bool is(struct word w, const char *text)
{
    return w.size == strlen(text) && memcmp(w.text, text, w.size) == 0;
}

static uint32_t read_implicit(struct word value, struct import_conf *c)
{
    static const struct {
        const char *name;
        enum usbguard_target target;
    } targets[] = {{"allow", USBGUARD_ALLOW}, {"block", USBGUARD_BLOCK}, {"reject", USBGUARD_REJECT}};

    for (size_t i = 0; i < ELEMENTS(targets); i++)
        if (is(value, targets[i].name)) {
            c->implicit = targets[i].target;
            return 0;
        }
    return REASON(CONFIGURATION);
}

/* Whoever blocks all that is plugged in has rules for the start only; as a policy they would permit it later too. */
static uint32_t read_inserted(struct word value)
{
    if (is(value, "apply-policy"))
        return 0;
    return is(value, "block") || is(value, "reject") ? REASON(INSERTED) : REASON(CONFIGURATION);
}

static uint32_t read_present(struct word value)
{
    static const char *const others[] = {"allow", "block", "reject", "keep"};

    for (size_t i = 0; i < ELEMENTS(others); i++)
        if (is(value, others[i]))
            return REASON(PRESENT);
    return is(value, "apply-policy") ? 0 : REASON(CONFIGURATION);
}

static uint32_t read_setting(struct word key, struct word value, unsigned line, struct import_conf *c)
{
    if (is(key, "RuleFolder"))
        c->folder = value.size > 0 ? line : 0;
    if (is(key, "ImplicitPolicyTarget"))
        return read_implicit(value, c);
    if (is(key, "InsertedDevicePolicy"))
        return read_inserted(value);
    return is(key, "PresentDevicePolicy") ? read_present(value) : 0;
}

static void add_problem(struct import_conf *c, unsigned line, uint32_t reasons)
{
    if (reasons && c->n < IMPORT_CONF_PROBLEMS_MAX) {
        c->problems[c->n].line = line;
        c->problems[c->n++].reasons = reasons;
    } else if (reasons) {
        c->problems[c->n - 1].reasons |= reasons; /* the line is lost, what is wrong is not */
    }
}

/* Its files hold rules as well, behind those of RuleFile. Debian sets it always, mostly to an empty directory. */
static void judge_folder(struct import_conf *c)
{
    if (c->folder == 0)
        return;
    add_problem(c, c->folder, c->implicit == USBGUARD_ALLOW ? REASON(FOLDER_ALLOW) : REASON(FOLDER));
    if (c->implicit == USBGUARD_ALLOW)
        c->implicit = USBGUARD_BLOCK;
}

void import_conf_read(const char *text, size_t size, struct import_conf *ret)
{
    const char *end = text + size;

    *ret = (struct import_conf){0};
    for (unsigned line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text)), *equals;

        stop = stop ? stop : end;
        equals = memchr(text, '=', (size_t)(stop - text));
        if (equals && *text != '#')
            add_problem(ret, line, read_setting(trimmed(text, equals), trimmed(equals + 1, stop), line, ret));
        text = stop < end ? stop + 1 : end;
    }
    judge_folder(ret);
}

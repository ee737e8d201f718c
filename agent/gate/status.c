/*
 * What the gate says of itself.
 *
 * Owns: the stable names of failures and states. Must not: change anything.
 */
#include "gate/gate.h"

#include <string.h>

#include "gate/internal.h"
#include "gate/program.h"
#include "gate/stores.h"
#include "policy/policy.h"

const char *gate_failure_name(enum gate_failure f)
{
    static const char *const names[GATE_FAILURE_COUNT_] = {
        [GATE_FAILURE_OVERLOAD] = "overload",
        [GATE_FAILURE_SELF] = "self",
        [GATE_FAILURE_DESCRIPTORS] = "descriptors",
        [GATE_FAILURE_EVENT] = "event",
        [GATE_FAILURE_OVERFLOW] = "overflow",
        [GATE_FAILURE_READ] = "read",
        [GATE_FAILURE_FACTS] = "facts",
        [GATE_FAILURE_OBJECT] = "object",
        [GATE_FAILURE_ADOPT] = "adopt",
        [GATE_FAILURE_ANSWER] = "answer",
        [GATE_FAILURE_RECORD] = "record",
        [GATE_FAILURE_MARK] = "mark",
    };

    return f < GATE_FAILURE_COUNT_ && names[f] ? names[f] : "unknown";
}

const char *gate_store_state(struct gate *g, size_t i)
{
    static const char *const names[] = {
        [STORE_ABSENT] = "absent",
        [STORE_FILESYSTEM] = "filesystem",
        [STORE_INODES] = "inodes",
        [STORE_INCOMPLETE] = "incomplete",
    };

    if (!g->view->stores || i >= stores_count(g->view->stores))
        return NULL;
    return names[stores_state(g->view->stores, i)];
}

const char *gate_program_state(struct gate *g, size_t store, size_t program)
{
    static const char *const names[] = {
        [PROGRAM_MISSING] = "missing",
        [PROGRAM_UNTRUSTED] = "untrusted",
        [PROGRAM_RESOLVED] = "resolved",
    };

    if (!g->view->stores || store >= stores_count(g->view->stores) ||
        program >= g->view->policy->stores[store].n_programs)
        return NULL;
    return names[programs_state(stores_programs(g->view->stores), store, program)];
}

void gate_get_status(struct gate *g, struct gate_status *ret)
{
    const struct view *v = g->view;
    bool complete = true;

    memset(ret, 0, sizeof(*ret));
    ret->marks = v->n_media;
    for (size_t i = 0; v->stores && i < stores_count(v->stores); i++) {
        enum store_state state = stores_state(v->stores, i);

        ret->marks += state != STORE_ABSENT;
        complete &= state != STORE_INCOMPLETE;
    }
    ret->store_inodes = v->stores ? stores_inodes(v->stores) : 0;
    ret->decisions = atomic_load(&g->decisions);
    ret->denied = atomic_load(&g->denied);
    ret->would_refuse = atomic_load(&g->would_refuse);
    ret->gone = atomic_load(&g->gone);
    for (int i = 0; i < GATE_FAILURE_COUNT_; i++)
        ret->failures[i] = atomic_load(&g->failures[i]);
    ret->enforcing = v->policy && v->policy->mode == POLICY_ENFORCE && g->self_test_passed && g->marks_whole &&
                     complete && g->has_reader && !atomic_load(&g->reader_failed);
}

/*
 * The workers' snapshot of policy, stores and media.
 *
 * Owns: copies of what the daemon said of each medium. Must not: change after it was published (gate.c makes a new one).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate/internal.h"
#include "gate/stores.h"
#include "policy/policy.h"

static void own_rule(struct view_medium *m, const char *rule)
{
    audit_set(m->rule, sizeof(m->rule), rule ? rule : "");
    m->m.verdict.rule = m->rule;
}

static int reserve(struct view *v, size_t n)
{
    v->media = calloc(n > 0 ? n : 1, sizeof(*v->media));
    return v->media ? 0 : -ENOMEM;
}

/* One more slot than base has, for the medium that the copy is made for. */
int view_new(const struct view *base, struct view **ret)
{
    struct view *v = calloc(1, sizeof(*v));

    if (!v || reserve(v, base ? base->n_media + 1 : 1) < 0) {
        free(v);
        return -ENOMEM;
    }
    v->refs = 1;
    if (base) {
        v->generation = base->generation + 1;
        v->policy = base->policy ? policy_ref(base->policy) : NULL;
        v->stores = base->stores ? stores_ref(base->stores) : NULL;
        v->n_media = base->n_media;
        for (size_t i = 0; i < v->n_media; i++) {
            v->media[i] = base->media[i];
            v->media[i].m.verdict.rule = v->media[i].rule;
        }
    }
    *ret = v;
    return 0;
}

struct view *view_ref(struct view *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

struct view *view_unref(struct view *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) > 1)
        return NULL;
    (void)stores_unref(v->stores);
    if (v->policy)
        (void)policy_unref(v->policy);
    free(v->media);
    free(v);
    return NULL;
}

const struct view_medium *view_find_medium(const struct view *v, dev_t device)
{
    for (size_t i = 0; i < v->n_media; i++)
        if (v->media[i].m.device == device)
            return &v->media[i];
    return NULL;
}

int view_put_medium(struct view *v, const struct gate_medium *m)
{
    size_t at = 0;

    while (at < v->n_media && v->media[at].m.device != m->device)
        at++;
    if (at == GATE_MEDIA_MAX)
        return -ENOBUFS;
    v->media[at].m = *m;
    own_rule(&v->media[at], m->verdict.rule);
    if (at == v->n_media)
        v->n_media++;
    return 0;
}

int view_drop_medium(struct view *v, dev_t device)
{
    for (size_t i = 0; i < v->n_media; i++) {
        if (v->media[i].m.device != device)
            continue;
        v->media[i] = v->media[--v->n_media];
        v->media[i].m.verdict.rule = v->media[i].rule;
        return 0;
    }
    return -ENOENT;
}

/* Owns: made-up ids for names. Must not: ask the name service. */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/explain.h"

enum {
    FIRST_ID = 1000
};

void names_done(struct names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->items[i]);
    free(n->items);
    *n = (struct names){0};
}

/* The id of a name, a new one for a new name. 0 or -ENOMEM. */
static int find_id(struct names *n, const char *name, unsigned *ret)
{
    char **grown, *copy;

    for (size_t i = 0; i < n->n; i++)
        if (text_equal(n->items[i], name)) {
            *ret = FIRST_ID + (unsigned)i;
            return 0;
        }
    copy = strdup(name);
    grown = copy ? reallocarray(n->items, n->n + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        free(copy);
        return -ENOMEM;
    }
    n->items = grown;
    *ret = FIRST_ID + (unsigned)n->n;
    n->items[n->n++] = copy;
    return 0;
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    return find_id(context, name, ret);
}

static int find_group(void *context, const char *name, gid_t *ret)
{
    return find_id(context, name, ret);
}

struct policy_names names_ops(struct names *n)
{
    return (struct policy_names){.user = find_user, .group = find_group, .context = n};
}

static int fill(struct names *n, const char *user, const char *const *groups, size_t n_groups, struct explain_person *p)
{
    unsigned uid = FIRST_ID - 1; /* of no name */
    int r = user && *user ? find_id(n, user, &uid) : 0;

    p->gids = calloc(n_groups > 0 ? n_groups : 1, sizeof(*p->gids));
    if (!p->gids)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < n_groups; i++)
        r = find_id(n, groups[i], &p->gids[i]);
    p->person = (struct decide_person){.uid = uid, .login_uid = uid, .gids = p->gids, .n_gids = n_groups};
    return r < 0 ? r : explain_person_words(user, groups, n_groups, &p->words);
}

int names_person(struct names *n, const char *user, const char *const *groups, size_t n_groups,
                 struct explain_person *ret)
{
    struct explain_person p = {0};
    int r = fill(n, user, groups, n_groups, &p);

    if (r < 0)
        explain_person_done(&p);
    else
        *ret = p;
    return r;
}

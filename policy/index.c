/*
 * Owns: tables from what a device claims to the rules that may speak of it, and from a text to its place in a long list.
 * Must not: decide anything: a rule that is proposed may still not match; one that is not proposed must never match.
 *
 * A rule is filed once, under that one of its attributes which the fewest other rules share, with an entry for each value listed
 * there. Rules that demand no such attribute are "others" and proposed always. Entries hold hashes, not texts: two texts with
 * one hash make a proposal too many, which costs a comparison.
 */
#include "policy/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    TABLE_FROM = 16 /* shorter lists are compared one by one */
};

struct policy_index {
    uint32_t mask;    /* buckets - 1 */
    uint32_t *starts; /* where each bucket begins among the entries, one more than there are buckets */
    struct policy_index_entry *entries;
    uint32_t *others;
    size_t n_entries, n_others;
    unsigned kinds; /* bits of the attributes that rules are filed under */
};

/* An attribute of a rule that it can be filed under. */
struct filing {
    enum policy_key key;
    const struct policy_strings *texts; /* or: */
    const struct policy_usb_ids *devices;
};

struct filings {
    struct filing items[POLICY_KEY_COUNT_];
    size_t n;
};

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) *
               16777619U; /* FNV-1a; what is hashed comes from the policy's author, not from an attacker */
    return hash;
}

static uint32_t hash_text(enum policy_key key, const char *text)
{
    uint32_t hash = hash_bytes(2166136261U + (uint32_t)key, text, strlen(text));

    return hash ^ (hash >> 15); /* the low bits choose the bucket */
}

static uint32_t hash_device(uint16_t vendor, uint16_t product)
{
    uint16_t both[2] = {vendor, product};
    uint32_t hash = hash_bytes(2166136261U + POLICY_KEY_DEVICE, both, sizeof(both));

    return hash ^ (hash >> 15);
}

bool policy_is_choice(enum policy_set_operator op, size_t n)
{
    return op == POLICY_SET_ONE_OF || op == POLICY_SET_MATCH_ALL || (op != POLICY_SET_NONE_OF && n == 1);
}

/* --- Building --- */

static size_t filing_count(const struct filing *f)
{
    return f->texts ? f->texts->n : f->devices->n;
}

static uint32_t filing_hash(const struct filing *f, size_t i)
{
    return f->texts ? hash_text(f->key, f->texts->items[i])
                    : hash_device(f->devices->items[i].vendor, f->devices->items[i].product);
}

static void add_texts(struct filings *f, enum policy_key key, const struct policy_strings *texts)
{
    if (texts->n > 0 && policy_is_choice(texts->op, texts->n))
        f->items[f->n++] = (struct filing){.key = key, .texts = texts};
}

static void add_devices(struct filings *f, const struct policy_usb_ids *devices)
{
    for (size_t i = 0; i < devices->n; i++)
        if (devices->items[i].any_vendor || devices->items[i].any_product)
            return;
    if (devices->n > 0 && policy_is_choice(devices->op, devices->n))
        f->items[f->n++] = (struct filing){.key = POLICY_KEY_DEVICE, .devices = devices};
}

static void usb_filings(const void *rules, size_t i, struct filings *ret)
{
    const struct policy_usb_match *m = &((const struct policy_usb_rule *)rules)[i].match;

    ret->n = 0;
    add_texts(ret, POLICY_KEY_HASH, &m->hashes);
    add_texts(ret, POLICY_KEY_USBGUARD_HASH, &m->usbguard_hashes);
    add_texts(ret, POLICY_KEY_SERIAL, &m->serials);
    add_devices(ret, &m->devices);
    add_texts(ret, POLICY_KEY_NAME, &m->names);
    add_texts(ret, POLICY_KEY_PORT, &m->ports);
    add_texts(ret, POLICY_KEY_PARENT_HASH, &m->parent_hashes);
    add_texts(ret, POLICY_KEY_USBGUARD_PARENT_HASH, &m->usbguard_parent_hashes);
}

static void media_filings(const void *rules, size_t i, struct filings *ret)
{
    const struct policy_medium_match *m = &((const struct policy_medium_rule *)rules)[i].match;

    ret->n = 0;
    add_texts(ret, POLICY_KEY_UUID, &m->uuids);
    add_texts(ret, POLICY_KEY_SERIAL, &m->serials);
    add_texts(ret, POLICY_KEY_LABEL, &m->labels);
}

struct builder {
    const void *rules;
    size_t n;
    void (*filings)(const void *rules, size_t i, struct filings *ret);
    const char *(*id)(const void *rules, size_t i);
    uint32_t mask;
    uint32_t *shared;                /* by bucket: how many values fall there, over all attributes of all rules */
    struct policy_index_entry *made; /* in the order of the rules */
    size_t n_made;
};

static const char *usb_id(const void *rules, size_t i)
{
    return ((const struct policy_usb_rule *)rules)[i].id;
}

static const char *medium_id(const void *rules, size_t i)
{
    return ((const struct policy_medium_rule *)rules)[i].id;
}

/* Buckets for twice the values there are, and how often each bucket is used. */
static int count_values(struct builder *b)
{
    size_t total = b->n;
    struct filings f;

    for (size_t i = 0; i < b->n; i++) {
        b->filings(b->rules, i, &f);
        for (size_t k = 0; k < f.n; k++)
            total += filing_count(&f.items[k]);
    }
    for (b->mask = 15; b->mask < 2 * total; b->mask = b->mask * 2 + 1)
        ;
    b->shared = calloc((size_t)b->mask + 1, sizeof(*b->shared));
    b->made = calloc(total + 1, sizeof(*b->made));
    if (!b->shared || !b->made)
        return -ENOMEM;
    for (size_t i = 0; i < b->n; i++) {
        b->filings(b->rules, i, &f);
        for (size_t k = 0; k < f.n; k++)
            for (size_t v = 0; v < filing_count(&f.items[k]); v++)
                b->shared[filing_hash(&f.items[k], v) & b->mask]++;
    }
    return 0;
}

/* The attribute whose most common value is the rarest; NULL when there is none. */
static const struct filing *choose(const struct builder *b, const struct filings *f)
{
    const struct filing *best = NULL;
    uint32_t least = UINT32_MAX;

    for (size_t k = 0; k < f->n; k++) {
        uint32_t most = 0;

        for (size_t v = 0; v < filing_count(&f->items[k]); v++) {
            uint32_t shared = b->shared[filing_hash(&f->items[k], v) & b->mask];

            most = shared > most ? shared : most;
        }
        if (most < least) {
            least = most;
            best = &f->items[k];
        }
    }
    return best;
}

static void file_rule(struct builder *b, struct policy_index *x, size_t i)
{
    struct filings f;
    const struct filing *chosen;

    b->made[b->n_made++] = (struct policy_index_entry){hash_text(POLICY_KEY_ID, b->id(b->rules, i)), (uint32_t)i};
    b->filings(b->rules, i, &f);
    chosen = choose(b, &f);
    if (!chosen) {
        x->others[x->n_others++] = (uint32_t)i;
        return;
    }
    x->kinds |= 1U << chosen->key;
    for (size_t v = 0; v < filing_count(chosen); v++)
        b->made[b->n_made++] = (struct policy_index_entry){filing_hash(chosen, v), (uint32_t)i};
}

/* Entries of one bucket side by side, still in the order of the rules. */
static int sort_entries(const struct builder *b, struct policy_index *x)
{
    _cleanup_free_ uint32_t *next = calloc((size_t)x->mask + 2, sizeof(*next));

    x->starts = calloc((size_t)x->mask + 2, sizeof(*x->starts));
    x->entries = calloc(b->n_made + 1, sizeof(*x->entries));
    if (!next || !x->starts || !x->entries)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_made; i++)
        x->starts[(b->made[i].hash & x->mask) + 1]++;
    for (size_t i = 1; i <= (size_t)x->mask + 1; i++)
        x->starts[i] += x->starts[i - 1];
    memcpy(next, x->starts, ((size_t)x->mask + 2) * sizeof(*next));
    for (size_t i = 0; i < b->n_made; i++)
        x->entries[next[b->made[i].hash & x->mask]++] = b->made[i];
    x->n_entries = b->n_made;
    return 0;
}

static int fill(struct builder *b, struct policy_index *x)
{
    int r = count_values(b);

    if (r < 0)
        return r;
    x->mask = b->mask;
    x->others = calloc(b->n + 1, sizeof(*x->others));
    if (!x->others)
        return -ENOMEM;
    x->kinds = 1U << POLICY_KEY_ID;
    for (size_t i = 0; i < b->n; i++)
        file_rule(b, x, i);
    return sort_entries(b, x);
}

static int build(struct builder *b, struct policy_index **ret)
{
    struct policy_index *x = calloc(1, sizeof(*x));
    int r = x ? fill(b, x) : -ENOMEM;

    free(b->shared);
    free(b->made);
    if (r < 0) {
        (void)policy_index_free(x);
        return r;
    }
    *ret = x;
    return 0;
}

int policy_index_usb(const struct policy_usb_rule *rules, size_t n, struct policy_index **ret)
{
    return build(&(struct builder){.rules = rules, .n = n, .filings = usb_filings, .id = usb_id}, ret);
}

int policy_index_media(const struct policy_medium_rule *rules, size_t n, struct policy_index **ret)
{
    return build(&(struct builder){.rules = rules, .n = n, .filings = media_filings, .id = medium_id}, ret);
}

struct policy_index *policy_index_free(struct policy_index *x)
{
    if (x) {
        free(x->starts);
        free(x->entries);
        free(x->others);
        free(x);
    }
    return NULL;
}

/* --- Asking --- */

static void add_cursor(struct policy_candidates *c, const struct policy_index *x, uint32_t hash)
{
    const uint32_t *start = &x->starts[hash & x->mask];

    if (start[0] == start[1])
        return;
    c->cursors[c->n].at = x->entries + start[0];
    c->cursors[c->n].end = x->entries + start[1];
    c->cursors[c->n].hash = hash;
    c->n++;
}

void policy_candidates_init(struct policy_candidates *c, const struct policy_index *index, size_t n_rules,
                            const struct policy_values *values)
{
    c->n_rules = n_rules;
    c->next = 0;
    c->n = 0;
    c->all = !index;
    c->others = c->others_end = NULL;
    if (!index)
        return;
    for (unsigned kinds = index->kinds; kinds != 0; kinds &= kinds - 1) {
        enum policy_key key = (enum policy_key)__builtin_ctz(kinds);

        if (key == POLICY_KEY_DEVICE) {
            if (values->has_device)
                add_cursor(c, index, hash_device(values->vendor, values->product));
        } else if (values->text[key]) {
            add_cursor(c, index, hash_text(key, values->text[key]));
        }
    }
    if (!values->text[POLICY_KEY_ID]) { /* who asks for one rule by its id wants no other */
        c->others = index->others;
        c->others_end = index->others + index->n_others;
    }
}

bool policy_candidates_next(struct policy_candidates *c, size_t *ret)
{
    size_t least = SIZE_MAX;

    if (c->all) {
        if (c->next >= c->n_rules)
            return false;
        *ret = c->next++;
        return true;
    }
    while (c->others < c->others_end && *c->others < c->next)
        c->others++;
    if (c->others < c->others_end)
        least = *c->others;
    for (unsigned i = 0; i < c->n; i++) {
        __typeof__(&c->cursors[0]) k = &c->cursors[i];

        while (k->at < k->end && (k->at->hash != k->hash || k->at->rule < c->next))
            k->at++;
        if (k->at < k->end && k->at->rule < least)
            least = k->at->rule;
    }
    if (least == SIZE_MAX)
        return false;
    *ret = least;
    c->next = least + 1;
    return true;
}

const struct policy_usb_rule *policy_find_usb_rule(const struct policy *p, const char *id)
{
    const struct policy_values values = {.text = {[POLICY_KEY_ID] = id}};
    struct policy_candidates c;
    size_t i;

    if (!id)
        return NULL;
    policy_candidates_init(&c, p->usb_index, p->n_usb, &values);
    while (policy_candidates_next(&c, &i))
        if (text_equal(p->usb[i].id, id))
            return &p->usb[i];
    return NULL;
}

const struct policy_medium_rule *policy_find_medium_rule(const struct policy *p, const char *id)
{
    const struct policy_values values = {.text = {[POLICY_KEY_ID] = id}};
    struct policy_candidates c;
    size_t i;

    if (!id)
        return NULL;
    policy_candidates_init(&c, p->media_index, p->media.n_rules, &values);
    while (policy_candidates_next(&c, &i))
        if (text_equal(p->media.rules[i].id, id))
            return &p->media.rules[i];
    return NULL;
}

/* --- Long lists --- */

/* Places in the list plus one, 0 for an empty slot; at least half of the slots are empty. */
struct policy_table {
    uint32_t mask, slots[];
};

int policy_strings_index(struct policy_strings *set)
{
    struct policy_table *t;
    uint32_t mask = 15;

    free(set->table);
    set->table = NULL;
    if (set->n < TABLE_FROM)
        return 0;
    while (mask < 2 * set->n)
        mask = mask * 2 + 1;
    t = calloc(1, sizeof(*t) + ((size_t)mask + 1) * sizeof(t->slots[0]));
    if (!t)
        return -ENOMEM;
    t->mask = mask;
    for (size_t i = 0; i < set->n; i++) {
        uint32_t slot = hash_text(POLICY_KEY_ID, set->items[i]) & mask;

        while (t->slots[slot] != 0)
            slot = (slot + 1) & mask;
        t->slots[slot] = (uint32_t)i + 1;
    }
    set->table = t;
    return 0;
}

bool policy_strings_has(const struct policy_strings *set, const char *text)
{
    const struct policy_table *t = set->table;

    if (!t) {
        for (size_t i = 0; i < set->n; i++)
            if (strcmp(set->items[i], text) == 0)
                return true;
        return false;
    }
    for (uint32_t slot = hash_text(POLICY_KEY_ID, text) & t->mask; t->slots[slot] != 0; slot = (slot + 1) & t->mask)
        if (strcmp(set->items[t->slots[slot] - 1], text) == 0)
            return true;
    return false;
}

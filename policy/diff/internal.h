#pragma once

#include <stdint.h>
#include <stdio.h>

#include "decide/decide.h"
#include "policy/diff/diff.h"

/* What the parts of the comparison share; for policy/diff/ only. */

enum {
    BEFORE = 0,
    AFTER,
    SIDES,
};

/* --- the list that grows (diff.c) --- */

/* A new change at the end, all empty; NULL on ENOMEM. Valid until the next call. */
struct diff_change *diff_add(struct diff *d, enum diff_area area, enum diff_kind kind, const char *subject);
/* Takes before and after (made by diff_words_end) in every case. 0 or -ENOMEM. */
int diff_add_detail(struct diff_change *c, const char *key, char *before, char *after, enum diff_effect effect);
int diff_list_add(struct diff_list *l, const char *item); /* 0 or -ENOMEM */
void diff_list_done(struct diff_list *l);
void diff_change_done(struct diff_change *c);
/* One effect of many: all the same way, or DIFF_OTHER. */
enum diff_effect diff_join(enum diff_effect a, enum diff_effect b);
enum diff_effect diff_join_details(const struct diff_change *c);

/* --- comparing what rules say (conditions.c): the effect of going from a to b --- */

enum diff_effect diff_number(uint64_t a, uint64_t b); /* more is wider */
enum diff_effect diff_end(int64_t a, int64_t b);      /* later is wider, 0 is never */
/* Who has one of the listed values is permitted; none listed: all are. */
enum diff_effect diff_strings(const struct policy_strings *a, const struct policy_strings *b);
enum diff_effect diff_who(const struct policy_who *a, const struct policy_who *b);
enum diff_effect diff_when(const struct policy_when *a, const struct policy_when *b);
enum diff_effect diff_interfaces(const struct policy_interfaces *a, const struct policy_interfaces *b);
bool diff_same_strings(const struct policy_strings *a, const struct policy_strings *b);
bool diff_same_interfaces(const struct policy_interfaces *a, const struct policy_interfaces *b);
enum diff_effect diff_approvals(unsigned a, const struct policy_who *approvers_a, unsigned b,
                                const struct policy_who *approvers_b); /* more approvals, fewer approvers: narrower */
enum diff_effect diff_unlock(const struct policy_unlock *a, const struct policy_unlock *b);
enum diff_effect diff_reverse(enum diff_effect e);

/* --- what is decided of one case (outcome.c) --- */

enum {
    CHAIN_MAX = 8
};
#define CHAIN_DEFAULT UINT32_MAX
/* The rules that speak of a device: refusals that depend on person or time, then the one that decides. */
struct chain {
    uint32_t rules[CHAIN_MAX];
    uint32_t n;   /* at least 1 */
    uint32_t bus; /* media: which class decides for CHAIN_DEFAULT */
    bool idle;    /* USB: the device has no interface that the last rule permits: it is refused */
};

/* Media: what buses[] calls them. */
enum {
    BUSES = 7
};
extern const char *const diff_buses[BUSES];

bool diff_same_outcome(enum diff_area area, const struct policy *const sides[SIDES], const struct chain chains[SIDES]);
/* Fills kind, effect and details of c. 0 or -ENOMEM. */
int diff_describe_outcome(enum diff_area area, const struct policy *const sides[SIDES],
                          const struct chain chains[SIDES], struct diff_change *c);
/* The id of the rule that decides. */
const char *diff_rule_of(enum diff_area area, const struct policy *p, const struct chain *chain);

/* --- made-up devices and media (space.c, usb.c, media.c) --- */

enum {
    ATTRIBUTES_MAX = 10,
    LEFT_OUT_MAX = 256, /* values behind none-of that are tried */
};

/* A text that no rule names: no document can hold this character. */
#define ANY_TEXT "\177"

/* One value of one attribute. Strings are borrowed but `owned`. */
struct option {
    const char *value;                         /* attributes that are a text */
    const struct decide_interface *interfaces; /* ATTRIBUTE_INTERFACES */
    size_t n_interfaces;
    uint16_t vendor, product;                /* ATTRIBUTE_DEVICE */
    const char *words;                       /* as a policy writes it; NULL: no rule speaks of it */
    const struct option *base;               /* the same with less to it: what is decided alike is told once */
    const struct option *from[SIDES];        /* the options of two shapes that it stands for */
    const struct policy_interface *patterns; /* interfaces, as rules write them */
    size_t n_patterns;
    bool other; /* and an interface that no rule names */
    char *owned;
    struct decide_interface *owned_interfaces;
    struct policy_interface *owned_patterns;
};

struct options {
    struct option *items;
    size_t n, room;
};
/* A zeroed option at the end, or NULL. Others may move. */
struct option *options_add(struct options *o);
int options_add_copy(struct options *o, const struct option *from); /* borrows from it; 0 or -ENOMEM */
int options_add_all(struct options *o, const struct options *from);
int options_reserve(struct options *o, size_t n); /* up to that many do not move; 0 or -ENOMEM */
void options_done(struct options *o);

/* What one rule matches. */
struct shape {
    const struct policy *policy; /* NULL: no rule, everything */
    size_t rule;
    struct options options[ATTRIBUTES_MAX];              /* empty: the rule says nothing of it */
    const struct policy_strings *choice[ATTRIBUTES_MAX]; /* options are just these strings */
    uint64_t mask[ATTRIBUTES_MAX];                       /* two without a common bit exclude each other */
};

struct space;

/* A cell is one option for each attribute: a made-up device or medium. */
struct space_ops {
    enum diff_area area;
    size_t n_attributes;
    const char *const *keys; /* of the attributes, "" for one that needs none */
    bool (*selects)(const struct space *s, const struct shape *shape, const struct option *const *cell);
    /* false: more rules speak of it than a chain holds. */
    bool (*decide)(const struct space *s, const struct policy *p, const struct option *const *cell, struct chain *ret);
    /* What has both values, added to ret; from is set by the caller. 0 or -ENOMEM. */
    int (*meet)(const struct space *s, size_t attribute, const struct option *a, const struct option *b,
                struct options *ret);
};

/* A case that the policies decide otherwise. */
struct record {
    struct chain chains[SIDES];
    char *words;
};

struct space {
    const struct space_ops *ops;
    const struct policy *sides[SIDES];
    struct shape *shapes;
    size_t n_shapes, room_shapes;
    struct { /* what no rule names */
        uint16_t vendor, product;
        struct decide_interface interface;
    } fresh;
    /* First what no rule names; more: each is a case of its own. */
    struct options any[ATTRIBUTES_MAX];
    struct policy_interfaces left_out; /* patterns of interfaces that stand behind none-of */
    struct record *records;
    size_t n_records, room_records;
    size_t budget;                          /* cases left */
    bool incomplete, full;                  /* full: there is no use in going on */
    bool *involved[SIDES], *crossed[SIDES]; /* rules that decide something otherwise; something that another did */
};

struct shape *space_add_shape(struct space *s, const struct policy *p, size_t rule); /* NULL on ENOMEM */
/* Walks all cases. 0 or -ENOMEM. */
int space_compare(struct space *s);
/* Tells the records as changes. 0 or -ENOMEM. */
int space_tell(struct space *s, struct diff *d);
void space_done(struct space *s);

uint64_t mask_of(const struct policy_strings *set);
bool is_positive(const struct policy_strings *set); /* whoever matches has one of the values */
/* The options of a list of strings under its operator, in shape->options[attribute]. 0 or -ENOMEM. */
int shape_strings(const struct space *s, struct shape *shape, size_t attribute, const struct policy_strings *set);
/* As many of any[attribute]: whether the rule matches them is asked afterwards. 0 or -ENOMEM. */
int shape_any(const struct space *s, struct shape *shape, size_t attribute);
/* Points base of the values behind the first to that. Once any[attribute] is whole. */
void space_end_any(struct space *s, size_t attribute);
/* Appends to any[attribute] what a none-of leaves out: no rule matches it by that, and others may. 0 or -ENOMEM. */
int space_add_left_out(struct space *s, size_t attribute, const struct policy_strings *set);
/* Appends the rule to the chain. true: it was the last. */
bool diff_chain_add(struct chain *c, size_t rule, bool passes, bool *ret_cut);
/* Text attributes: a value that both may have. */
int meet_texts(const struct option *a, const struct option *b, struct options *ret);

/* Interfaces of USB devices (interfaces.c). left_out and fresh of the space must be there; each 0 or -ENOMEM. */
int interfaces_add(const struct space *s, struct options *ret, const struct policy_interface *pattern);
/* The options of a rule; useful: what it authorizes, empty for everything. */
int interfaces_shape(const struct space *s, struct options *o, const struct options *any,
                     const struct policy_interfaces *set, const struct policy_interfaces *useful);
int interfaces_meet(const struct space *s, const struct option *a, const struct option *b, struct options *ret);

/* --- the parts of the document; each 0 or -ENOMEM --- */

bool diff_same_usb_match(const struct policy_usb_match *a, const struct policy_usb_match *b);
bool diff_same_medium_match(const struct policy_medium_match *a, const struct policy_medium_match *b);
int diff_usb(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max);
int diff_media(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max);
int diff_document(struct diff *d, const struct policy *a, const struct policy *b);
int diff_mounts(struct diff *d, const struct policy *a, const struct policy *b);
int diff_stores(struct diff *d, const struct policy *a, const struct policy *b);
int diff_export(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max);
int diff_mfa(struct diff *d, const struct policy *a, const struct policy *b);
int diff_audit(struct diff *d, const struct policy *a, const struct policy *b);
/* Rules of a section that moved, got another id, or came, went and changed without effect. */
struct diff_rules {
    enum diff_area area;
    const struct policy *sides[SIDES];
    bool *involved[SIDES], *crossed[SIDES];
};
int diff_order(struct diff *d, const struct diff_rules *r);

/* --- words --- */

/* A stream into *ret; NULL on ENOMEM. */
struct words {
    FILE *out;
    char *text;
    size_t size;
};
bool words_begin(struct words *w);
char *words_end(struct words *w); /* caller frees; NULL on ENOMEM */

#pragma once

#include "base/marked.h"
#include "member/member.h"
#include "policy/trust/write.h"

/* What the parts of agent/member share. */

struct member_order {
    uint8_t id[FLEET_ID128_SIZE];
    int64_t until_us; /* remembered until then */
};

/* A statement and the bytes it came in. */
struct member_held {
    struct fleet_statement *statement; /* NULL: none */
    uint8_t *envelope;
    size_t size;
};

struct member_state {
    struct member_held membership, ack;
    struct member_order orders[MEMBER_ORDERS_MAX];
    size_t n_orders;
};

struct member {
    struct marked_file file;
    enum member_condition condition;
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char terminal[FLEET_ID_SIZE];
    struct member_state state;
    char complaint[384];
};

void member_held_done(struct member_held *h);
void member_state_done(struct member_state *s);
/* The statement in an envelope of this kind; signatures are not looked at. enum trust_result, -ENOMEM. */
int member_held_read(enum fleet_kind kind, const uint8_t *bytes, size_t size, struct member_held *ret,
                     struct trust_complaint *complaint);
/* A copy of its own: what is held is left alone until the copy is on disk. -ENOMEM. */
int member_held_copy(const struct member_held *from, struct member_held *ret);

/* state.c: fleet.json. Form and that it is this terminal's is judged here; enum trust_result, -ENOMEM. */
int member_state_read(const uint8_t *bytes, size_t size, const char *terminal, struct member_state *ret,
                      struct trust_complaint *complaint);
int member_state_write(const struct member_state *s, uint8_t **ret, size_t *ret_size);

/* judge.c. TRUST_OK: what is held was signed under this root, or by keys that it does not name any more. */
int member_verify(const struct member_state *s, const struct trust_root *root, struct trust_complaint *complaint);
int member_judge_first(const struct member *m, const struct member_view *view, const char wire[static NKEY_PUBLIC_SIZE],
                       const uint8_t *envelope, size_t size, struct fleet_statement **ret,
                       struct member_refusal *ret_refusal);

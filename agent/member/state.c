/*
 * Owns: fleet.json, as bytes. Must not: judge what stands in it by anything else than its form and whose it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/internal.h"
#include "policy/trust/json.h"

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

#define FORMAT "kuraban-fleet"

enum {
    STATE_MAX = 4 * FLEET_ENVELOPE_MAX,
};

void member_held_done(struct member_held *h)
{
    fleet_statement_free(h->statement);
    free(h->envelope);
    *h = (struct member_held){0};
}

void member_state_done(struct member_state *s)
{
    member_held_done(&s->membership);
    member_held_done(&s->ack);
    *s = (struct member_state){0};
}

int member_held_read(enum fleet_kind kind, const uint8_t *bytes, size_t size, struct member_held *ret,
                     struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    _cleanup_free_ uint8_t *copy = malloc(size + 1);
    int r;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, size);
    copy[size] = 0;
    r = trust_envelope_parse(bytes, size, &e, complaint);
    if (r == TRUST_OK && strcmp(e->type, fleet_kind_type(kind)) != 0)
        r = trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, fleet_kind_type(kind));
    if (r == TRUST_OK)
        r = fleet_statement_parse(kind, e->payload, e->size, &s, complaint);
    if (r == TRUST_OK)
        *ret = (struct member_held){TAKE_PTR(s), TAKE_PTR(copy), size};
    return r;
}

int member_held_copy(const struct member_held *from, struct member_held *ret)
{
    if (!from->statement)
        return 0;
    return member_held_read(from->statement->kind, from->envelope, from->size, ret, NULL);
}

/* --- reading --- */

static int held_from_json(enum fleet_kind kind, const json_t *object, struct member_held *ret,
                          struct trust_complaint *complaint)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_json_write(object, &bytes, &size);

    return r < 0 ? r : member_held_read(kind, bytes, size, ret, complaint);
}

static int read_order(const json_t *object, struct member_order *ret, struct trust_complaint *complaint)
{
    const json_t *id = NULL, *until = NULL;
    const struct trust_json_field fields[] = {{"id", JSON_STRING, false, &id}, {"until", JSON_STRING, false, &until}};
    int r = trust_json_fields(object, "order", fields, ELEMENTS(fields), complaint);

    if (r == TRUST_OK && fleet_id128_read(json_string_value(id), ret->id) < 0)
        r = trust_refuse(complaint, TRUST_E_MALFORMED, N_("'%s' is no id"), json_string_value(id));
    return r == TRUST_OK ? trust_json_time(until, "until", &ret->until_us, complaint) : r;
}

static int read_orders(const json_t *array, struct member_state *s, struct trust_complaint *complaint)
{
    int r = TRUST_OK;

    if (json_array_size(array) > MEMBER_ORDERS_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%zu orders; at most %d are kept"), json_array_size(array),
                            (int)MEMBER_ORDERS_MAX);
    for (size_t i = 0; r == TRUST_OK && i < json_array_size(array); i++) {
        r = json_is_object(json_array_get(array, i))
                ? read_order(json_array_get(array, i), &s->orders[i], complaint)
                : trust_refuse(complaint, TRUST_E_MALFORMED, N_("'%s' must be a list of objects"), "orders");
        s->n_orders = i + 1;
    }
    return r;
}

static int read_parts(const json_t *j, struct member_state *s, struct trust_complaint *complaint)
{
    const json_t *format = NULL, *membership = NULL, *ack = NULL, *orders = NULL;
    const struct trust_json_field fields[] = {{"format", JSON_STRING, false, &format},
                                              {"membership", JSON_OBJECT, false, &membership},
                                              {"ack", JSON_OBJECT, true, &ack},
                                              {"orders", JSON_ARRAY, false, &orders}};
    int r = trust_json_format(json_object_get(j, "format"), FORMAT, complaint);

    if (r == TRUST_OK)
        r = trust_json_fields(j, "fleet", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = held_from_json(FLEET_MEMBERSHIP, membership, &s->membership, complaint);
    if (r == TRUST_OK && ack)
        r = held_from_json(FLEET_ACK, ack, &s->ack, complaint);
    return r == TRUST_OK ? read_orders(orders, s, complaint) : r;
}

static int check_terminal(const struct member_state *s, const char *terminal, struct trust_complaint *complaint)
{
    const struct fleet_membership *m = &s->membership.statement->membership;
    const struct fleet_ack *a = s->ack.statement ? &s->ack.statement->ack : NULL;

    if (strcmp(m->terminal, terminal) != 0)
        return trust_refuse(complaint, TRUST_E_SCOPE, N_("of terminal '%s'; this is '%s'"), m->terminal, terminal);
    if (a && strcmp(a->terminal, terminal) != 0)
        return trust_refuse(complaint, TRUST_E_SCOPE, N_("of terminal '%s'; this is '%s'"), a->terminal, terminal);
    return TRUST_OK;
}

int member_state_read(const uint8_t *bytes, size_t size, const char *terminal, struct member_state *ret,
                      struct trust_complaint *complaint)
{
    _cleanup_(member_state_done) struct member_state s = {0};
    _cleanup_json_ json_t *j = NULL;
    int r = trust_json_load(bytes, size, STATE_MAX, "fleet", &j, complaint);

    if (r == TRUST_OK)
        r = read_parts(j, &s, complaint);
    if (r == TRUST_OK)
        r = check_terminal(&s, terminal, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = s;
    s = (struct member_state){0};
    return TRUST_OK;
}

/* --- writing --- */

static int add_held(json_t *j, const char *key, const struct member_held *h)
{
    json_t *part = NULL;
    int r;

    if (!h->statement)
        return 0;
    r = trust_json_load(h->envelope, h->size, FLEET_ENVELOPE_MAX, key, &part, NULL);
    if (r != TRUST_OK)
        return r < 0 ? r : -EBADMSG;
    return trust_json_set(j, key, part);
}

static json_t *json_from_order(const struct member_order *o)
{
    char hex[FLEET_ID128_HEX_SIZE];
    json_t *j = json_object();

    fleet_id128_write(o->id, hex);
    if (!j || trust_json_set(j, "id", json_string(hex)) < 0 ||
        trust_json_set(j, "until", trust_json_from_time(o->until_us)) < 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *json_from_orders(const struct member_state *s)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < s->n_orders; i++)
        if (json_array_append_new(array, json_from_order(&s->orders[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

int member_state_write(const struct member_state *s, uint8_t **ret, size_t *ret_size)
{
    _cleanup_json_ json_t *j = json_object();
    int r;

    if (!j || trust_json_set(j, "format", json_string(FORMAT "/1")) < 0)
        return -ENOMEM;
    r = add_held(j, "membership", &s->membership);
    if (r == 0)
        r = add_held(j, "ack", &s->ack);
    if (r == 0)
        r = trust_json_set(j, "orders", json_from_orders(s));
    return r == 0 ? trust_json_write(j, ret, ret_size) : r;
}

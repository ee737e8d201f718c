/*
 * Owns: who becomes a terminal: the order of the questions, and that a token lets in one key and no other.
 * Must not: change anything for a request that its sender did not sign, or answer for another centre.
 */
#include "hub/enrol/enrol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "hub/enrol/internal.h"
#include "hub/enrol/request.h"
#include "hub/enrol/root_chain.h"
#include "hub/store/journal.h"
#include "hub/store/tokens.h"
#include "json/whole.h"
#include "policy/trust/json.h"

/* What one request comes to. */
struct admission {
    struct hub_enrol *e;
    const struct hub_enrol_call *call;
    const struct fleet_enrolment *said;
    const char *token;
    char who[96];
    struct hub_actor actor;
    struct hub_enrol_answer *answer;
};

/* --- tokens --- */

static const struct {
    const char *error, *message;
} refusals[] = {
    [HUB_TOKEN_E_UNKNOWN] = {"token-unknown", "no such token"},
    [HUB_TOKEN_E_USED] = {"token-used", "another terminal has used this token"},
    [HUB_TOKEN_E_REVOKED] = {"token-revoked", "this token was revoked"},
    [HUB_TOKEN_E_EXPIRED] = {"token-expired", "this token is over"},
    [HUB_TOKEN_E_SERIAL] = {"token-machine", "this token is for another machine"},
};

/* Somebody has a token that is not for them: people should know. */
static int tell_misuse(struct admission *a, const struct hub_token *t, const char *why)
{
    json_t *details =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "why", why, "used-by", t->terminal, "tried-by", a->answer->terminal,
                  "host", a->said->host, "machine", a->said->machine ? a->said->machine : "");
    _cleanup_free_ char *text = NULL;
    int r = details ? whole_text(details, JSON_COMPACT | JSON_SORT_KEYS, &text) : -ENOMEM;

    json_decref(details);
    if (r >= 0)
        r = hub_token_tell_misuse(a->e->centre.store, &a->actor, t->number, text);
    return r < 0 ? r : 0;
}

static int refuse_token(struct admission *a, int result, const struct hub_token *t)
{
    const char *error = refusals[result].error;
    int r = result == HUB_TOKEN_E_UNKNOWN ? 0 : tell_misuse(a, t, error);

    return r < 0 ? r : enrol_refuse(a->answer, 403, error, "%s", refusals[result].message);
}

/* --- the terminal --- */

static int fill(const struct admission *a, const struct hub_token *token, struct hub_terminal *ret)
{
    const char *machine = a->said->machine ? a->said->machine : "";
    const char *host = a->said->host;
    struct hub_terminal t = {.enrolled_us = a->call->now_us, .token = token->number};

    if (strlen(machine) >= sizeof(t.serial))
        return HUB_TERMINAL_E_NAME;
    t.approved_us = token->approval ? 0 : a->call->now_us;
    (void)snprintf(t.id, sizeof(t.id), "%s", a->answer->terminal);
    (void)snprintf(t.serial, sizeof(t.serial), "%s", machine);
    (void)snprintf(t.host, sizeof(t.host), "%s", host);
    /* Cut after a whole character. */
    (void)snprintf(t.name, sizeof(t.name), "%.*s", (int)text_printable_length(host, strnlen(host, sizeof(t.name) - 1)),
                   host);
    *ret = t;
    return HUB_TERMINAL_OK;
}

static int let_in(struct admission *a, const struct hub_token *token, bool known)
{
    struct hub_store *s = a->e->centre.store;
    struct hub_terminal t;
    int r = fill(a, token, &t);

    if (r == HUB_TERMINAL_OK)
        r = known ? hub_terminal_again(s, &a->actor, &t, a->said->wire, token->group)
                  : hub_terminal_add(s, &a->actor, &t, a->said->journal, a->said->wire, token->group);
    if (r == HUB_TERMINAL_E_EXISTS)
        return enrol_refuse(a->answer, 409, "keys", "another terminal has one of these keys");
    if (r > 0)
        return enrol_refuse(a->answer, 400, "machine", "the machine's name or serial number cannot be kept");
    if (r == 0 && t.approved_us != 0)
        r = hub_terminal_supersede(s, &a->actor, &t);
    return r < 0 ? r : 0;
}

/* Its answer was lost, or it asks whether a person has let it in. */
static int is_repeated(const struct admission *a, const struct hub_token *token, const struct hub_terminal *known)
{
    return text_equal(token->terminal, known->id) && token->number == known->token &&
           text_equal(known->wire_key, a->said->wire);
}

static int admit(struct admission *a)
{
    struct hub_store *s = a->e->centre.store;
    struct hub_terminal known = {0};
    struct hub_token token = {0};
    int there = hub_terminal_get(s, a->answer->terminal, &known, NULL), r;

    if (there < 0)
        return there;
    if (there && known.revoked_us)
        return enrol_refuse(a->answer, 403, "revoked", "this terminal was revoked; its key is of no use here");
    r = hub_token_redeem(s, a->call->now_us, a->token, a->said->machine, a->answer->terminal, &token);
    if (r < 0)
        return r;
    if (r == HUB_TOKEN_OK)
        return let_in(a, &token, there > 0);
    if (r == HUB_TOKEN_E_USED && there && is_repeated(a, &token, &known))
        return 0;
    return refuse_token(a, r, &token);
}

/* A refusal that took something is taken back; one that tells something stays. */
static bool is_kept(const struct hub_enrol_answer *answer)
{
    return !answer->error || text_starts(answer->error, "token-");
}

static int run(struct admission *a)
{
    struct hub_store *s = a->e->centre.store;
    int r = hub_store_begin(s);

    if (r >= 0)
        r = admit(a);
    if (r == 0 && is_kept(a->answer))
        r = hub_store_commit(s);
    hub_store_rollback(s);
    if (r < 0 || a->answer->error)
        return r;
    return enrol_hand_out(a->e, a->answer->terminal, a->call->now_us, a->answer);
}

/* --- the request --- */

static int judge(struct hub_enrol *e, const struct enrol_request *q, const struct fleet_statement *s, int64_t now_us,
                 struct hub_enrol_answer *ret)
{
    int r = fleet_enrolment_judge(s, q->token, strlen(q->token), &e->ca, now_us);
    char now[CLOCK_RFC3339_SIZE];

    if (r <= 0)
        return r;
    clock_format_rfc3339(now_us, now);
    return enrol_refuse(ret, 400, fleet_result_name((enum fleet_result)r), "%s (here it is %s)",
                        fleet_result_text((enum fleet_result)r), now);
}

/* Nothing is used up for a terminal that could not be told whom to believe. */
static int check_root(struct hub_enrol *e, int64_t now_us, struct hub_enrol_answer *ret)
{
    _cleanup_json_ json_t *roots = NULL;
    struct trust_root *newest = NULL;
    int r = root_chain_read(e->centre.store, &roots, &newest);

    if (r == 0)
        return enrol_refuse(ret, 503, "no-root", "this centre has no root document yet");
    if (r > 0)
        r = newest->expires_us <= now_us ? enrol_refuse(ret, 503, "root-expired", "this centre's root document is over")
                                         : 0;
    (void)trust_root_free(newest);
    return r;
}

static int answer(struct hub_enrol *e, const struct hub_enrol_call *call, const struct enrol_request *q,
                  const struct fleet_statement *s, struct hub_enrol_answer *ret)
{
    struct admission a = {.e = e, .call = call, .said = &s->enrolment, .token = q->token, .answer = ret};
    int r = fleet_terminal_id(s->enrolment.journal, ret->terminal);

    (void)snprintf(a.who, sizeof(a.who), "address:%s", call->address);
    a.actor = (struct hub_actor){.name = a.who, .now_us = call->now_us};
    if (r == 0)
        r = judge(e, q, s, call->now_us, ret);
    if (r == 0 && !ret->error)
        r = check_root(e, call->now_us, ret);
    return r < 0 || ret->error ? r : run(&a);
}

int hub_enrol_call(struct hub_enrol *e, const struct hub_enrol_call *call, struct hub_enrol_answer *ret)
{
    struct trust_complaint complaint = {0};
    struct hub_enrol_answer made = {0};
    struct fleet_statement *s = NULL;
    struct enrol_request q = {0};
    int r = enrol_request_parse(call->body, call->size, &q, &complaint);

    if (r == TRUST_OK)
        r = fleet_open_enrolment(q.envelope, q.size, &s, &complaint);
    if (r > 0)
        r = enrol_refuse(&made, 400, trust_result_name((enum trust_result)r), "%s%s%s",
                         trust_result_text((enum trust_result)r), *complaint.text ? ": " : "", complaint.text);
    else if (r == 0)
        r = answer(e, call, &q, s, &made);
    (void)fleet_statement_free(s);
    enrol_request_done(&q);
    if (r < 0) {
        json_decref(made.body);
        return r;
    }
    *ret = made;
    return 0;
}

/* kuraban mfa list, status: who has a second factor, and how it stands. Must not: show a secret; kuraband tells none. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/factor.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "mfa/mfa.h"

enum {
    CELL = 96
};

/* How a credential stands, in a few words. */
static void state_words(const json_t *credential, char *ret, size_t size)
{
    const char *state = value_string(credential, "state");
    unsigned number = (unsigned)value_number(credential, "number");

    if (text_equal(state, mfa_outcome_name(MFA_NEEDED)))
        (void)snprintf(ret, size, "%s", _("good"));
    else if (text_equal(state, mfa_outcome_name(MFA_LOCKED)) && number == 0)
        (void)snprintf(ret, size, "%s", _("locked until root lifts it"));
    else if (text_equal(state, mfa_outcome_name(MFA_LOCKED)))
        (void)snprintf(ret, size, ngettext("locked for %u minute", "locked for %u minutes", (number + 59) / 60),
                       (number + 59) / 60);
    else if (text_equal(state, mfa_outcome_name(MFA_WAIT)))
        (void)snprintf(ret, size, ngettext("waits for %u second", "waits for %u seconds", number), number);
    else if (text_equal(state, mfa_outcome_name(MFA_ROLLBACK)))
        (void)snprintf(ret, size, ngettext("clock set back by %u minute", "clock set back by %u minutes", number),
                       number);
    else
        (void)snprintf(ret, size, "%s", state);
}

static void list_text(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(7);
    const json_t *one;
    size_t i;

    if (json_array_size(answer) == 0) {
        (void)fprintf(c->out, "%s\n", _("Nobody has a second factor."));
        (void)table_free(t);
        return;
    }
    table_add(t, (const char *[]){_("PERSON"), _("UID"), _("STATE"), _("FAILURES"), _("RECOVERY CODES"), _("SINCE"),
                                  _("LAST USED")});
    json_array_foreach(answer, i, one)
    {
        char state[CELL], uid[16], failures[16], recovery[16], since[VALUE_TIME_SIZE], used[VALUE_TIME_SIZE];

        state_words(one, state, sizeof(state));
        (void)snprintf(uid, sizeof(uid), "%" PRIi64, value_number(one, "uid"));
        (void)snprintf(failures, sizeof(failures), "%" PRIi64, value_number(one, "failures"));
        (void)snprintf(recovery, sizeof(recovery), "%" PRIi64, value_number(one, "recovery_left"));
        table_add(t, (const char *[]){value_string(one, "name"), uid, state, failures, recovery,
                                      value_time(value_string(one, "created"), since),
                                      value_time(value_string(one, "used"), used)});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

static enum cli_exit get_list(struct cli *c, uint32_t uid, json_t **ret)
{
    struct buf fields;
    enum cli_exit code = CLI_FAILED;

    buf_init(&fields, sizeof(uint32_t));
    if (buf_add_u32(&fields, uid) == 0)
        code = ask(c, CTL_MFA_LIST, &fields, ret);
    buf_done(&fields);
    return code;
}

enum cli_exit cli_mfa_list(struct cli *c, const struct cli_arguments *a)
{
    json_t *answer = NULL;
    enum cli_exit code;

    (void)a;
    code = get_list(c, FACTOR_SELF, &answer); /* by root: everybody */
    if (code == CLI_OK)
        cli_show(c, answer, list_text);
    json_decref(answer);
    return code;
}

/* --- status --- */

static const char *store_words(const char *state)
{
    static const struct {
        enum mfa_condition condition;
        const char *words;
    } all[] = {
        {MFA_GOOD, N_("good")},
        {MFA_DAMAGED, N_("damaged or missing: nobody's code is accepted; put mfa.db back from a backup")},
        {MFA_NO_KEY, N_("its key is missing or another one: nobody's code is accepted")},
        {MFA_CLOSED, N_("cannot be read or written now: nobody's code is accepted")},
    };

    for (size_t i = 0; i < ELEMENTS(all); i++)
        if (text_equal(state, mfa_condition_name(all[i].condition)))
            return _(all[i].words);
    return state;
}

static const char *enrol_words(const char *who)
{
    if (text_equal(who, "self"))
        return _("everybody for themselves");
    if (text_equal(who, "first-login"))
        return _("everybody for themselves, at the first login");
    return text_equal(who, "root") ? _("the administrator") : who;
}

static const char *key_words(const char *key)
{
    if (text_equal(key, "file"))
        return _("a file that only root can read");
    if (text_equal(key, "credential"))
        return _("a systemd credential");
    return text_equal(key, "none") ? _("none yet") : key;
}

/* "login, sshd" or "every service". Caller frees. */
static char *service_words(const json_t *login)
{
    const json_t *services = json_object_get(login, "services"), *service;
    char *text = NULL;
    size_t i;

    if (!json_is_object(login))
        return strdup(_("nobody"));
    if (json_array_size(services) == 0)
        return strdup(_("every service"));
    json_array_foreach(services, i, service)
    {
        char *longer = NULL;

        if (asprintf(&longer, "%s%s%s", text ? text : "", text ? ", " : "", json_string_value(service)) < 0)
            longer = NULL;
        free(text);
        text = longer;
    }
    return text;
}

static void own_text(const json_t *own, struct table *t)
{
    char state[CELL], recovery[16], used[VALUE_TIME_SIZE];

    if (!json_is_object(own)) {
        table_add(t, (const char *[]){_("Your second factor:"), _("none")});
        return;
    }
    state_words(own, state, sizeof(state));
    (void)snprintf(recovery, sizeof(recovery), "%" PRIi64, value_number(own, "recovery_left"));
    table_add(t, (const char *[]){_("Your second factor:"), state});
    table_add(t, (const char *[]){_("  last used:"), value_time(value_string(own, "used"), used)});
    table_add(t, (const char *[]){_("  recovery codes left:"), recovery});
}

static void status_text(struct cli *c, const json_t *answer)
{
    _cleanup_free_ char *services = service_words(json_object_get(answer, "login"));
    const char *complaint = value_string(answer, "complaint");
    struct table *t = table_new(2);
    char count[16];

    table_add(t, (const char *[]){_("Store:"), store_words(value_string(answer, "state"))});
    if (*complaint)
        table_add(t, (const char *[]){"", complaint});
    table_add(t, (const char *[]){_("Key:"), key_words(value_string(answer, "key"))});
    table_add(t, (const char *[]){_("A login asks for a code:"), services});
    table_add(t, (const char *[]){_("Who may enrol:"), enrol_words(value_string(answer, "enrol"))});
    if (json_is_integer(json_object_get(answer, "enrolled"))) {
        (void)snprintf(count, sizeof(count), "%" PRIi64, value_number(answer, "enrolled"));
        table_add(t, (const char *[]){_("Enrolled:"), count});
    }
    own_text(json_object_get(answer, "own"), t);
    table_print(t, c->out, 0);
    (void)table_free(t);
    if (!json_is_object(json_object_get(answer, "own")) && value_bool(answer, "may_enrol"))
        (void)fprintf(c->out, "%s\n", _("“kuraban mfa enrol” makes one."));
}

static void person_text(struct cli *c, const json_t *answer)
{
    if (json_array_size(answer) == 0)
        (void)fprintf(c->out, "%s\n", _("This person has no second factor."));
    else
        list_text(c, answer);
}

/* Of somebody: is there a second factor, and does it work? */
static enum cli_exit status_of(struct cli *c, const char *word)
{
    struct factor_person person = {0};
    json_t *answer = NULL;
    enum cli_exit code = factor_person(c, word, &person);

    if (code == CLI_OK)
        code = get_list(c, person.uid, &answer);
    if (code == CLI_OK) {
        cli_show(c, answer, person_text);
        if (!text_equal(value_string(json_array_get(answer, 0), "state"), mfa_outcome_name(MFA_NEEDED)))
            code = CLI_NO;
    }
    json_decref(answer);
    factor_person_done(&person);
    return code;
}

enum cli_exit cli_mfa_status(struct cli *c, const struct cli_arguments *a)
{
    json_t *answer = NULL;
    enum cli_exit code;

    if (a->n_words > 0)
        return status_of(c, a->words[0]);
    code = ask(c, CTL_MFA_STATUS, NULL, &answer);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, status_text);
    if (!text_equal(value_string(answer, "state"), mfa_condition_name(MFA_GOOD)))
        code = CLI_NO;
    json_decref(answer);
    return code;
}

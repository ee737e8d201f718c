/*
 * The second factor at login, as a PAM module. Owns: the conversation with the person and what kuraband's answer means to PAM.
 * Must not: verify, count, remember or log a code, own a file, or change anything of its host's process; whatever goes wrong refuses.
 * PAM_IGNORE is said once, for "policy asks this person for no code here": an error that opens is how such modules failed before
 * (CVE-2025-23013). docs/LOGIN.md is for administrators.
 */
#include <errno.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/login.h"
#include "pam/words.h"

#define RUN_DIRECTORY "/run/kuraban"

enum {
    BUDGET_MS = 5000, /* for all of kuraband's answers together; the person has as long as the host gives */
    FAIL_DELAY_US = 2000000,
    PASSWD_MAX = 64 * 1024,
};

struct attempt {
    pam_handle_t *pamh;
    bool silent;
    int budget_ms;
    const char *directory;
    struct ctl_login login;
};

static void say(const struct attempt *a, int style, const char *message, uint32_t number, const char *text)
{
    char words[WORDS_SIZE];

    if (a->silent || !message)
        return;
    words_render(a->pamh, message, number, text, words);
    (void)pam_prompt(a->pamh, style, NULL, "%s", words);
    explicit_bzero(words, sizeof(words)); /* at an enrolment it holds the secret */
}

static void forget(char **code)
{
    if (*code) {
        explicit_bzero(*code, strlen(*code));
        free(*code);
    }
}

/* *ret stays NULL when nothing was given. */
static int prompt(const struct attempt *a, int style, const char *message, char **ret)
{
    char words[WORDS_SIZE];
    _cleanup_(forget) char *code = NULL;
    int r;

    words_render(a->pamh, message, 0, NULL, words);
    r = pam_prompt(a->pamh, style, &code, "%s", words);
    if (r != PAM_SUCCESS)
        return r == PAM_CONV_AGAIN ? PAM_INCOMPLETE : PAM_AUTH_ERR;
    if (code && *code)
        *ret = TAKE_PTR(code);
    return PAM_SUCCESS;
}

static int get_text(const struct attempt *a, int item, const char **ret)
{
    const void *value = NULL;

    if (pam_get_item(a->pamh, item, &value) != PAM_SUCCESS)
        return -EIO;
    *ret = value;
    return 0;
}

/* 0, -ENOENT: nobody of this name, other -errno. */
static int find_uid(const char *user, uid_t *ret)
{
    struct passwd entry, *found = NULL;
    size_t size = 1024;
    int r;

    do {
        _cleanup_free_ char *bytes = malloc(size);

        if (!bytes)
            return -ENOMEM;
        r = getpwnam_r(user, &entry, bytes, size, &found);
        size *= 2;
    } while (r == ERANGE && size <= PASSWD_MAX);
    if (r != 0)
        return -r;
    if (!found)
        return -ENOENT;
    *ret = entry.pw_uid;
    return 0;
}

static int parse_options(struct attempt *a, int argc, const char **argv)
{
    static const char directory[] = "directory=";
    int r = PAM_SUCCESS;

    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], directory, sizeof(directory) - 1) == 0 && argv[i][sizeof(directory) - 1] == '/') {
            a->directory = argv[i] + sizeof(directory) - 1;
        } else {
            pam_syslog(a->pamh, LOG_ERR, "unknown option: %s", argv[i]);
            r = PAM_AUTH_ERR;
        }
    return r;
}

static int find_person(struct attempt *a)
{
    int r;

    r = pam_get_user(a->pamh, &a->login.user, NULL);
    if (r != PAM_SUCCESS)
        return r == PAM_CONV_AGAIN ? PAM_INCOMPLETE : PAM_AUTH_ERR;
    if (!a->login.user || !*a->login.user)
        return PAM_AUTH_ERR;
    if (get_text(a, PAM_SERVICE, &a->login.service) < 0 || get_text(a, PAM_RHOST, &a->login.rhost) < 0 ||
        get_text(a, PAM_TTY, &a->login.tty) < 0)
        return PAM_AUTH_ERR;
    r = find_uid(a->login.user, &a->login.uid);
    if (r == -ENOENT)
        return PAM_USER_UNKNOWN;
    if (r < 0)
        pam_syslog(a->pamh, LOG_ERR, "cannot look up the user: %s", strerrorname_np(-r));
    return r < 0 ? PAM_AUTHINFO_UNAVAIL : PAM_SUCCESS;
}

/* What kuraband says to this step; whatever goes wrong is "unavailable". */
static void ask(struct attempt *a, enum ctl_login_step step, struct ctl_login_answer *ret)
{
    int r;

    a->login.step = step;
    *ret = (struct ctl_login_answer){.outcome = CTL_LOGIN_UNAVAILABLE};
    r = ctl_login_ask(a->directory, &a->login, &a->budget_ms, ret);
    if (r < 0)
        pam_syslog(a->pamh, LOG_ERR, "kuraband does not answer at %s: %s", a->directory, strerrorname_np(-r));
}

/* The end of an attempt: told, logged, and put in PAM's words. NOT_NEEDED never comes here. */
static int finish(const struct attempt *a, const struct ctl_login_answer *answer)
{
    enum ctl_login_outcome outcome = answer->outcome;
    bool opens = outcome == CTL_LOGIN_ACCEPTED || outcome == CTL_LOGIN_GRACE;

    pam_syslog(a->pamh, opens ? LOG_INFO : LOG_NOTICE, "one-time code of %s: %s", a->login.user, words_name(outcome));
    if (opens && (answer->flags & CTL_LOGIN_EMERGENCY))
        say(a, PAM_TEXT_INFO, N_("Emergency: in without a code. This is recorded."), 0, NULL);
    else
        say(a, opens ? PAM_TEXT_INFO : PAM_ERROR_MSG, words_message(outcome), answer->number, NULL);
    if (opens)
        return PAM_SUCCESS;
    if (outcome == CTL_LOGIN_LOCKED)
        return PAM_MAXTRIES;
    return outcome == CTL_LOGIN_UNAVAILABLE ? PAM_AUTHINFO_UNAVAIL : PAM_AUTH_ERR;
}

static int refuse(const struct attempt *a, enum ctl_login_outcome outcome)
{
    return finish(a, &(struct ctl_login_answer){.outcome = outcome});
}

static int verify(struct attempt *a)
{
    _cleanup_(forget) char *code = NULL;
    struct ctl_login_answer answer;
    int r;

    r = prompt(a, PAM_PROMPT_ECHO_OFF, N_("One-time code: "), &code);
    if (r != PAM_SUCCESS)
        return r;
    if (!code || strlen(code) > CTL_LOGIN_CODE_MAX)
        return refuse(a, code ? CTL_LOGIN_WRONG : CTL_LOGIN_REFUSED);
    a->login.code = code;
    ask(a, CTL_LOGIN_VERIFY, &answer);
    a->login.code = NULL;
    return finish(a, &answer);
}

/* They are told only this once, and a greeter that goes on at once would show them to nobody. */
static void show_recovery(const struct attempt *a, const struct ctl_login_answer *answer)
{
    char list[CTL_LOGIN_RECOVERY_MAX * CTL_LOGIN_RECOVERY_SIZE + 1] = "";
    _cleanup_(forget) char *nothing = NULL;

    for (unsigned i = 0; i < answer->n_recovery; i++) {
        strcat(list, " ");
        strcat(list, answer->recovery[i]);
    }
    say(a, PAM_TEXT_INFO, N_("Codes for when your authenticator is lost, each good once:%s"), 0, list);
    explicit_bzero(list, sizeof(list));
    (void)prompt(a, PAM_PROMPT_ECHO_ON, N_("Write them down, then press Enter: "), &nothing);
}

/* Two codes in a row show that the person's authenticator holds what was offered. */
static int confirm(struct attempt *a)
{
    _cleanup_(forget) char *first = NULL, *second = NULL;
    char both[CTL_LOGIN_CODE_MAX + 1];
    struct ctl_login_answer answer;
    int n, r;

    r = prompt(a, PAM_PROMPT_ECHO_OFF, N_("First code: "), &first);
    if (r == PAM_SUCCESS && first)
        r = prompt(a, PAM_PROMPT_ECHO_OFF, N_("The next code, after it changes: "), &second);
    if (r != PAM_SUCCESS)
        return r;
    n = snprintf(both, sizeof(both), "%s %s", first ? first : "", second ? second : "");
    if (!first || !second || n < 0 || (size_t)n >= sizeof(both)) {
        explicit_bzero(both, sizeof(both));
        return refuse(a, first && second ? CTL_LOGIN_WRONG : CTL_LOGIN_REFUSED);
    }
    a->login.code = both;
    ask(a, CTL_LOGIN_CONFIRM, &answer);
    a->login.code = NULL;
    explicit_bzero(both, sizeof(both));
    if (answer.outcome == CTL_LOGIN_ACCEPTED)
        show_recovery(a, &answer);
    r = finish(a, &answer);
    ctl_login_wipe(&answer);
    return r;
}

/* Policy has the first login enrol. Without a word to the person there is no enrolment. */
static int enrol(struct attempt *a)
{
    struct ctl_login_answer offer;
    int r;

    ask(a, CTL_LOGIN_ENROL, &offer);
    if (offer.outcome == CTL_LOGIN_ACCEPTED) {
        say(a, PAM_TEXT_INFO, N_("Register your authenticator now. Its key: %s"), 0, offer.base32);
        /* Longer than a message can be it would be cut off, and another address. */
        if (strlen(offer.uri) < WORDS_SIZE)
            say(a, PAM_TEXT_INFO, "%s", 0, offer.uri);
        r = confirm(a);
    } else {
        r = finish(a, &offer);
    }
    ctl_login_wipe(&offer);
    return r;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct attempt a = {.pamh = pamh,
                        .silent = ((unsigned)flags & PAM_SILENT) != 0,
                        .budget_ms = BUDGET_MS,
                        .directory = RUN_DIRECTORY};
    struct ctl_login_answer answer;
    int r;

    (void)pam_fail_delay(pamh, FAIL_DELAY_US);
    r = parse_options(&a, argc, argv);
    if (r == PAM_SUCCESS)
        r = find_person(&a);
    if (r != PAM_SUCCESS)
        return r;
    ask(&a, CTL_LOGIN_ASK, &answer);
    switch (answer.outcome) {
    case CTL_LOGIN_NOT_NEEDED:
        return PAM_IGNORE;
    case CTL_LOGIN_NEEDED:
        return verify(&a);
    case CTL_LOGIN_NOT_ENROLLED:
        return (answer.flags & CTL_LOGIN_ENROL_OPEN) && !a.silent ? enrol(&a) : finish(&a, &answer);
    default:
        return finish(&a, &answer);
    }
}

/* There are no credentials to set, and nothing that could fail. */
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

/* Whether an account is in order is for the others in the stack to say. */
int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_IGNORE;
}

#include "test.h"

#include <dirent.h>
#include <langinfo.h>
#include <locale.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/login.h"
#include "ctl/protocol.h"
#include "fake/login.h"
#include "fake/pam.h"
#include "pam/words.h"

/* The module against a kuraband of every kind. Root only: nobody else may answer the module. */

enum {
    NOBODY = 65534,
    GIVEN_UP_MS =
        4900, /* not sooner; later on a busy machine, and who waits for ever ends by the time limit of the test */
};

#define FIELDS(outcome, number, flags)                                                                                 \
    {                                                                                                                  \
        .bytes = (const uint8_t[]){(outcome), (number), 0, 0, 0, (flags)}, .size = 6                                   \
    }
#define RAW(text)                                                                                                      \
    {                                                                                                                  \
        .manner = FAKE_LOGIN_RAW, .bytes = (text), .size = sizeof(text) - 1                                            \
    }

struct trial {
    const char *user; /* NULL: nobody */
    uid_t daemon;
    struct fake_login_reply replies[FAKE_LOGIN_REPLIES];
    struct fake_person person;
    int flags;
    const char *option; /* one more */
    struct fake_login daemon_process;
    unsigned long long took_ms;
};

static int authenticate(struct trial *t)
{
    char directory[128];
    const char *arguments[] = {directory, t->option};
    pam_handle_t *pamh = fake_pam_start(&t->person, t->user ? t->user : "nobody");
    uint64_t before = clock_boottime_us();
    int r;

    (void)snprintf(directory, sizeof(directory), "directory=%s", t->daemon_process.directory);
    r = pam_sm_authenticate(pamh, t->flags, t->option ? 2 : 1, arguments);
    t->took_ms = (clock_boottime_us() - before) / 1000;
    fake_pam_end(pamh);
    return r;
}

/* One login against a daemon of its own. */
static int run(struct trial *t)
{
    int r;

    fake_login_start(&t->daemon_process, t->daemon, t->replies);
    r = authenticate(t);
    return r;
}

static void end(struct trial *t)
{
    fake_login_stop(&t->daemon_process);
}

static int once(struct trial *t)
{
    int r = run(t);

    end(t);
    return r;
}

static const char *const code[] = {"123456", NULL};
static const char *const two_codes[] = {"123456", "654321", "", NULL};

#define NEEDED FIELDS(CTL_LOGIN_NEEDED, 0, 0)

static void assert_string_field(struct buf_reader *r, const char *expected)
{
    char *text = NULL;

    assert_int_equal(buf_get_string(r, 512, &text), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_request(const struct fake_login_seen *seen, unsigned n, uint8_t step, const char *given)
{
    struct buf_reader r = {.data = seen->requests[n].fields, .size = seen->requests[n].size};
    uint32_t uid = 0;
    uint8_t asked = 255;

    assert_int_equal(seen->requests[n].type, CTL_MFA_LOGIN);
    assert_int_equal(buf_get_u8(&r, &asked), 0);
    assert_int_equal(asked, step);
    assert_int_equal(buf_get_u32(&r, &uid), 0);
    assert_int_equal(uid, NOBODY);
    assert_string_field(&r, "nobody");
    assert_string_field(&r, "kuraban-test");
    assert_string_field(&r, "192.0.2.7");
    assert_string_field(&r, "/dev/tty7");
    assert_string_field(&r, given);
    assert_int_equal(buf_get_end(&r), 0);
}

static void test_right_code_opens(void **state)
{
    struct trial t = {.replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};

    (void)state;
    assert_int_equal(run(&t), PAM_SUCCESS);
    assert_int_equal(t.daemon_process.seen->n, 2);
    assert_request(t.daemon_process.seen, 0, CTL_LOGIN_ASK, "");
    assert_request(t.daemon_process.seen, 1, CTL_LOGIN_VERIFY, "123456");
    end(&t);
    assert_int_equal(t.person.said, 1);
    assert_int_equal(t.person.heard[0].style, PAM_PROMPT_ECHO_OFF);
}

static void test_not_needed_is_the_only_ignore(void **state)
{
    struct trial t = {.replies = {FIELDS(CTL_LOGIN_NOT_NEEDED, 0, 0)}, .person.answers = code};

    (void)state;
    assert_int_equal(once(&t), PAM_IGNORE);
    assert_int_equal(t.person.said, 0);
    for (uint8_t outcome = 0; outcome < CTL_LOGIN_OUTCOMES_ + 3; outcome++) {
        struct trial asked = {.replies = {FIELDS(outcome, 1, 0), FIELDS(CTL_LOGIN_WRONG, 0, 0)},
                              .person.answers = code};

        if (outcome != CTL_LOGIN_NOT_NEEDED)
            assert_int_not_equal(once(&asked), PAM_IGNORE);
    }
}

static void test_outcomes_of_a_code(void **state)
{
    static const struct {
        uint8_t outcome, number;
        int result;
        const char *told;
    } cases[] = {
        {CTL_LOGIN_REFUSED, 0, PAM_AUTH_ERR, "No code"},
        {CTL_LOGIN_WRONG, 0, PAM_AUTH_ERR, "wrong"},
        {CTL_LOGIN_USED, 0, PAM_AUTH_ERR, "used before"},
        {CTL_LOGIN_WAIT, 8, PAM_AUTH_ERR, "in 8 seconds"},
        {CTL_LOGIN_LOCKED, 0, PAM_MAXTRIES, "locked"},
        {CTL_LOGIN_ROLLBACK, 90, PAM_AUTH_ERR, "set back by 90 minutes"},
        {CTL_LOGIN_NOT_ENROLLED, 0, PAM_AUTH_ERR, "administrator"},
        {CTL_LOGIN_UNAVAILABLE, 0, PAM_AUTHINFO_UNAVAIL, "administrator"},
        {CTL_LOGIN_SKEW, 7, PAM_AUTH_ERR, "7 minutes apart"},
        /* What cannot be an answer to a code. */
        {CTL_LOGIN_NEEDED, 0, PAM_AUTHINFO_UNAVAIL, "administrator"},
        {CTL_LOGIN_NOT_NEEDED, 0, PAM_AUTHINFO_UNAVAIL, "administrator"},
        {CTL_LOGIN_GRACE, 3, PAM_AUTHINFO_UNAVAIL, "administrator"},
        {CTL_LOGIN_OUTCOMES_, 0, PAM_AUTHINFO_UNAVAIL, "administrator"},
        {255, 0, PAM_AUTHINFO_UNAVAIL, "administrator"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.replies = {NEEDED, FIELDS(cases[i].outcome, cases[i].number, 0)}, .person.answers = code};

        assert_int_equal(once(&t), cases[i].result);
        assert_true(fake_pam_heard(&t.person, PAM_ERROR_MSG, cases[i].told));
    }
}

static void test_outcomes_without_a_code(void **state)
{
    static const struct {
        uint8_t outcome, number, flags;
        int result, style;
        const char *told;
    } cases[] = {
        {CTL_LOGIN_GRACE, 6, 0, PAM_SUCCESS, PAM_TEXT_INFO, "within 6 days"},
        {CTL_LOGIN_GRACE, 0, CTL_LOGIN_EMERGENCY, PAM_SUCCESS, PAM_TEXT_INFO, "Emergency"},
        {CTL_LOGIN_REFUSED, 0, CTL_LOGIN_EMERGENCY, PAM_AUTH_ERR, PAM_ERROR_MSG, "No code"},
        {CTL_LOGIN_NOT_ENROLLED, 0, 0, PAM_AUTH_ERR, PAM_ERROR_MSG, "No authenticator"},
        {CTL_LOGIN_LOCKED, 0, 0, PAM_MAXTRIES, PAM_ERROR_MSG, "locked"},
        {CTL_LOGIN_WAIT, 2, 0, PAM_AUTH_ERR, PAM_ERROR_MSG, "in 2 seconds"},
        {CTL_LOGIN_ROLLBACK, 5, 0, PAM_AUTH_ERR, PAM_ERROR_MSG, "5 minutes"},
        {CTL_LOGIN_UNAVAILABLE, 0, 0, PAM_AUTHINFO_UNAVAIL, PAM_ERROR_MSG, "administrator"},
        /* Nothing was verified yet. */
        {CTL_LOGIN_ACCEPTED, 0, 0, PAM_AUTHINFO_UNAVAIL, PAM_ERROR_MSG, "administrator"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.replies = {FIELDS(cases[i].outcome, cases[i].number, cases[i].flags)},
                          .person.answers = code};

        assert_int_equal(once(&t), cases[i].result);
        assert_int_equal(t.person.asked, 0);
        assert_true(fake_pam_heard(&t.person, cases[i].style, cases[i].told));
    }
}

static void test_what_is_no_code_is_refused_unasked(void **state)
{
    static char long_code[513], longer_code[66];
    static const char *const empty[] = {"", NULL}, *const none[] = {NULL}, *const long_one[] = {long_code, NULL},
                             *const longer[] = {longer_code, NULL};
    struct fake_person people[] = {
        {.answers = empty}, {.answers = none}, {.answers_null = true}, {.answers = long_one}, {.answers = longer},
    };

    (void)state;
    memset(long_code, '1', 512);
    memset(longer_code, '1', 65);
    for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
        struct trial t = {.replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person = people[i]};

        assert_int_equal(run(&t), PAM_AUTH_ERR);
        assert_int_equal(t.daemon_process.seen->n, 1);
        end(&t);
    }
}

/* Everything a daemon could say that is not the protocol, in answer to the question and to the code. */
static void test_hostile_answers(void **state)
{
    static const struct fake_login_reply hostile[] = {
        RAW(""),
        RAW("\x0a"),
        RAW("\x0a\0\0\0\x01\x80\0\0"),
        RAW("\x0a\0\0\0\x01\x80\0\0\0\0\0\0\x01\0\0\0"),           /* one byte is missing */
        RAW("\x0b\0\0\0\x01\x80\0\0\0\0\0\0\x01\0\0\0\0\0\0"),     /* one too many */
        RAW("\x0a\0\0\0\x00\x80\0\0\0\0\0\0\x01\0\0\0\0\0"),       /* another type */
        RAW("\x0a\0\0\0\x01\x80\x01\0\0\0\0\0\x01\0\0\0\0\0"),     /* more follows */
        RAW("\x0a\0\0\0\x01\x80\0\x80\0\0\0\0\x01\0\0\0\0\0"),     /* a flag nobody knows */
        RAW("\x0a\0\0\0\x01\x80\0\0\x01\0\0\0\x01\0\0\0\0\0"),     /* code "denied" */
        RAW("\x0a\0\0\0\x01\x80\0\0\x02\0\0\0\x01\0\0\0\0\0"),     /* code "invalid" */
        RAW("\xff\xff\xff\xff\x01\x80\0\0\0\0\0\0\x01\0\0\0\0\0"), /* no end */
        RAW("\x02\0\0\0\x01\x80\0\0\0\0"),                         /* too short for a code */
        RAW("HTTP/1.1 200 OK\r\n\r\n"),
        {.manner = FAKE_LOGIN_HANG_UP},
        {.manner = FAKE_LOGIN_WITH_FD, .bytes = "\x01\0\0\0\0\0", .size = 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct trial first = {.replies = {hostile[i], FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};
        struct trial second = {.replies = {NEEDED, hostile[i]}, .person.answers = code};

        assert_int_equal(once(&first), PAM_AUTHINFO_UNAVAIL);
        assert_int_equal(first.person.asked, 0);
        assert_int_equal(once(&second), PAM_AUTHINFO_UNAVAIL);
        assert_int_equal(second.person.asked, 1);
    }
}

/* "accepted" comes, but one byte every 300 ms: 18 bytes would take 5.4 s. */
static void test_slow_daemon_is_given_up(void **state)
{
    static const char accepted[] = "\x0a\0\0\0\x01\x80\0\0\0\0\0\0\x01\0\0\0\0\0";
    struct trial slow = {.replies = {NEEDED, {.manner = FAKE_LOGIN_SLOW, .bytes = accepted, .size = 18}},
                         .person.answers = code};

    (void)state;
    assert_int_equal(once(&slow), PAM_AUTHINFO_UNAVAIL);
    assert_true(slow.took_ms >= GIVEN_UP_MS);
}

static void test_both_questions_share_the_time(void **state)
{
    struct trial t = {.replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};

    (void)state;
    t.replies[CTL_LOGIN_ASK].delay_ms = 2500;
    t.replies[CTL_LOGIN_VERIFY].delay_ms = 3500;
    assert_int_equal(once(&t), PAM_AUTHINFO_UNAVAIL);
    assert_true(t.took_ms >= GIVEN_UP_MS);
}

static void test_silent_daemon_is_given_up(void **state)
{
    struct trial silent = {.replies = {{.manner = FAKE_LOGIN_SILENT}}, .person.answers = code};

    (void)state;
    assert_int_equal(once(&silent), PAM_AUTHINFO_UNAVAIL);
    assert_true(silent.took_ms >= GIVEN_UP_MS);
}

static void test_only_root_may_answer(void **state)
{
    struct trial t = {.daemon = NOBODY, .replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};

    (void)state;
    fake_login_start(&t.daemon_process, t.daemon, t.replies);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(t.daemon_process.seen->n, 0);
    end(&t);
}

static void test_only_in_a_directory_of_root(void **state)
{
    struct trial t = {.replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};
    char real[sizeof(t.daemon_process.directory)], other[128];

    (void)state;
    fake_login_start(&t.daemon_process, 0, t.replies);
    assert_int_equal(chmod(t.daemon_process.directory, 0777), 0);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(chmod(t.daemon_process.directory, 0775), 0);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(chmod(t.daemon_process.directory, 0755), 0);
    assert_int_equal(chown(t.daemon_process.directory, NOBODY, 0), 0);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(chown(t.daemon_process.directory, 0, 0), 0);
    strcpy(real, t.daemon_process.directory);
    (void)snprintf(other, sizeof(other), "%s.x", real);
    assert_int_equal(symlink(real, other), 0);
    strcpy(t.daemon_process.directory, other);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL); /* nothing there */
    strcpy(t.daemon_process.directory, real);
    assert_int_equal(t.daemon_process.seen->n, 0);
    assert_int_equal(authenticate(&t), PAM_SUCCESS); /* it was the directory */
    end(&t);
}

static void test_nobody_listens(void **state)
{
    struct trial t = {.replies = {NEEDED}, .person.answers = code};
    char path[128];

    (void)state;
    fake_login_start(&t.daemon_process, 0, t.replies);
    kill(t.daemon_process.pid, SIGSTOP);
    (void)snprintf(path, sizeof(path), "%s/control.sock", t.daemon_process.directory);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL); /* stopped */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL); /* no socket */
    assert_true(fake_pam_heard(&t.person, PAM_ERROR_MSG, "cannot be verified now"));
    end(&t);
}

/* A backlog that is full would block connect(2) for ever. */
static void test_full_backlog_is_given_up(void **state)
{
    struct trial t = {.replies = {NEEDED}, .person.answers = code};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fds[16], n = 0;

    (void)state;
    fake_login_start(&t.daemon_process, 0, t.replies);
    kill(t.daemon_process.pid, SIGSTOP);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", t.daemon_process.directory);
    while (n < 16) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fds[n++], (const struct sockaddr *)&address, sizeof(address)) < 0)
            break;
    }
    assert_in_range(n, 2, 15);
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_true(t.took_ms >= GIVEN_UP_MS);
    while (n > 0)
        close(fds[--n]);
    end(&t);
}

static void test_unknown_option_refuses(void **state)
{
    static const char *const options[] = {"nullok", "debug", "directory=relative", "directory", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct trial t = {.replies = {FIELDS(CTL_LOGIN_NOT_NEEDED, 0, 0)}, .option = options[i]};

        assert_int_equal(run(&t), PAM_AUTH_ERR);
        assert_int_equal(t.daemon_process.seen->n, 0);
        end(&t);
    }
}

static void test_unknown_person(void **state)
{
    struct trial t = {.user = "kuraban-no-such-person", .replies = {FIELDS(CTL_LOGIN_NOT_NEEDED, 0, 0)}};

    (void)state;
    assert_int_equal(run(&t), PAM_USER_UNKNOWN);
    assert_int_equal(t.daemon_process.seen->n, 0);
    end(&t);
}

static void test_silent_says_nothing(void **state)
{
    struct trial wrong = {
        .replies = {NEEDED, FIELDS(CTL_LOGIN_WRONG, 0, 0)}, .person.answers = code, .flags = (int)PAM_SILENT};
    struct trial enrolling = {.replies = {FIELDS(CTL_LOGIN_NOT_ENROLLED, 0, CTL_LOGIN_ENROL_OPEN)},
                              .flags = (int)PAM_SILENT};

    (void)state;
    assert_int_equal(once(&wrong), PAM_AUTH_ERR);
    assert_int_equal(wrong.person.said, 1); /* the prompt */
    assert_int_equal(once(&enrolling), PAM_AUTH_ERR);
    assert_int_equal(enrolling.person.said, 0);
}

#define OFFER "\x01\0\0\0\0\0\x08\0\0\0MFRGGZDF\x1d\0\0\0otpauth://totp/x?secret=MFRGG"
#define RECOVERY "\x01\0\0\0\0\0\x02\x04\0\0\0aaaa\x04\0\0\0bbbb"

static void test_first_login_enrols(void **state)
{
    struct trial t = {.replies = {FIELDS(CTL_LOGIN_NOT_ENROLLED, 0, CTL_LOGIN_ENROL_OPEN),
                                  [CTL_LOGIN_ENROL] = {.bytes = OFFER, .size = sizeof(OFFER) - 1},
                                  [CTL_LOGIN_CONFIRM] = {.bytes = RECOVERY, .size = sizeof(RECOVERY) - 1}},
                      .person.answers = two_codes};

    (void)state;
    assert_int_equal(run(&t), PAM_SUCCESS);
    assert_int_equal(t.daemon_process.seen->n, 3);
    assert_request(t.daemon_process.seen, 1, CTL_LOGIN_ENROL, "");
    assert_request(t.daemon_process.seen, 2, CTL_LOGIN_CONFIRM, "123456 654321");
    end(&t);
    assert_true(fake_pam_heard(&t.person, PAM_TEXT_INFO, "MFRGGZDF"));
    assert_true(fake_pam_heard(&t.person, PAM_TEXT_INFO, "otpauth://totp/x?secret=MFRGG"));
    assert_true(fake_pam_heard(&t.person, PAM_TEXT_INFO, " aaaa bbbb"));
}

static void test_enrolment_that_fails(void **state)
{
    static const char *const one_code[] = {"123456", NULL}, *const no_second[] = {"123456", "", NULL};
    static const struct {
        uint8_t confirm;
        const char *const *answers;
        int result;
    } cases[] = {
        {CTL_LOGIN_WRONG, two_codes, PAM_AUTH_ERR},         {CTL_LOGIN_SKEW, two_codes, PAM_AUTH_ERR},
        {CTL_LOGIN_GRACE, two_codes, PAM_AUTHINFO_UNAVAIL}, {CTL_LOGIN_ACCEPTED, two_codes, PAM_AUTHINFO_UNAVAIL},
        {CTL_LOGIN_ACCEPTED, one_code, PAM_AUTH_ERR},       {CTL_LOGIN_ACCEPTED, no_second, PAM_AUTH_ERR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* An "accepted" without its recovery codes is none. */
        struct trial t = {.replies = {FIELDS(CTL_LOGIN_NOT_ENROLLED, 0, CTL_LOGIN_ENROL_OPEN),
                                      [CTL_LOGIN_ENROL] = {.bytes = OFFER, .size = sizeof(OFFER) - 1},
                                      [CTL_LOGIN_CONFIRM] = FIELDS(cases[i].confirm, 0, 0)},
                          .person.answers = cases[i].answers};

        assert_int_equal(once(&t), cases[i].result);
    }
}

static unsigned open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_host_is_left_as_it_was(void **state)
{
    struct trial t = {.replies = {NEEDED, FIELDS(CTL_LOGIN_WRONG, 0, 0)}, .person.answers = code};
    struct sigaction before, after;
    unsigned fds;
    char *codeset;

    (void)state;
    fake_login_start(&t.daemon_process, 0, t.replies);
    assert_int_equal(setenv("LANG", "ja_JP.UTF-8", 1), 0);
    assert_non_null(setlocale(LC_ALL, "C"));
    codeset = strdup(nl_langinfo(CODESET));
    fds = open_fds();
    assert_int_equal(sigaction(SIGPIPE, NULL, &before), 0);
    assert_int_equal(authenticate(&t), PAM_AUTH_ERR);
    assert_int_equal(sigaction(SIGPIPE, NULL, &after), 0);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    assert_int_equal(open_fds(), fds);
    assert_string_equal(setlocale(LC_ALL, NULL), "C");
    assert_string_equal(nl_langinfo(CODESET), codeset);
    assert_ptr_equal(uselocale((locale_t)0), LC_GLOBAL_LOCALE);
    free(codeset);
    assert_int_equal(unsetenv("LANG"), 0);
    end(&t);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms = alarms + 1;
}

static void test_signals_interrupt_nothing(void **state)
{
    static const char accepted[] = "\x0a\0\0\0\x01\x80\0\0\0\0\0\0\x01\0\0\0\0\0";
    struct trial t = {.replies = {NEEDED, {.manner = FAKE_LOGIN_SLOW, .bytes = accepted, .size = 9}},
                      .person.answers = code};
    struct trial right = {.replies = {NEEDED, FIELDS(CTL_LOGIN_ACCEPTED, 0, 0)}, .person.answers = code};
    const struct itimerval often = {.it_interval = {.tv_usec = 7000}, .it_value = {.tv_usec = 7000}}, never = {0};
    const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    struct sigaction before;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    fake_login_start(&t.daemon_process, 0, t.replies);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    alarms = 0;
    /* It ends by the daemon's hanging up after 9 bytes, not by a signal. */
    assert_int_equal(authenticate(&t), PAM_AUTHINFO_UNAVAIL);
    assert_true(t.took_ms >= 2500);
    assert_true(alarms > 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    end(&t);
    right.replies[CTL_LOGIN_ASK].delay_ms = 300;
    right.replies[CTL_LOGIN_VERIFY].delay_ms = 300;
    fake_login_start(&right.daemon_process, 0, right.replies);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    alarms = 0;
    assert_int_equal(authenticate(&right), PAM_SUCCESS);
    assert_true(alarms > 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    end(&right);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

static void test_the_other_calls(void **state)
{
    struct fake_person person = {0};
    pam_handle_t *pamh = fake_pam_start(&person, "nobody");

    (void)state;
    assert_int_equal(pam_sm_acct_mgmt(pamh, 0, 0, NULL), PAM_IGNORE);
    assert_int_equal(pam_sm_setcred(pamh, PAM_ESTABLISH_CRED, 0, NULL), PAM_SUCCESS);
    fake_pam_end(pamh);
}

static int setup(void **state)
{
    (void)state;
    if (geteuid() == 0)
        return 0;
    puts("SKIP: pam_kuraban: only root can answer the module");
    exit(TEST_EXIT_SKIP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_code_opens),
        cmocka_unit_test(test_not_needed_is_the_only_ignore),
        cmocka_unit_test(test_outcomes_of_a_code),
        cmocka_unit_test(test_outcomes_without_a_code),
        cmocka_unit_test(test_what_is_no_code_is_refused_unasked),
        cmocka_unit_test(test_hostile_answers),
        cmocka_unit_test(test_slow_daemon_is_given_up),
        cmocka_unit_test(test_both_questions_share_the_time),
        cmocka_unit_test(test_silent_daemon_is_given_up),
        cmocka_unit_test(test_only_root_may_answer),
        cmocka_unit_test(test_only_in_a_directory_of_root),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_full_backlog_is_given_up),
        cmocka_unit_test(test_unknown_option_refuses),
        cmocka_unit_test(test_unknown_person),
        cmocka_unit_test(test_silent_says_nothing),
        cmocka_unit_test(test_first_login_enrols),
        cmocka_unit_test(test_enrolment_that_fails),
        cmocka_unit_test(test_host_is_left_as_it_was),
        cmocka_unit_test(test_signals_interrupt_nothing),
        cmocka_unit_test(test_the_other_calls),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

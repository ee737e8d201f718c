/*
 * policy explain and policy test about unlocking and taking out: which export rule decides and why earlier ones do not, by the policy
 * tests/data/policy/good/export.yaml. Nothing of it is plugged in, and nobody of it exists here.
 */
#include "unit/cli/questions.h"

#include <locale.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define POLICY KURABAN_TEST_DATA "/policy/good/export.yaml"
#define STICK "--device=0781:5583", "--interface=08:06:50", "--serial=4C530001", "--filesystem=crypto_LUKS"
#define ZIP_STICK "--device=0781:5583", "--interface=08:06:50", "--serial=4C530002"
#define CARD "--bus=mmc"
#define JUKI "--export", "--path=/srv/juki/list.csv"
#define TOUKEI "--export", "--path=/srv/toukei/list.csv"
#define OTHER "--export", "--path=/home/tanaka/memo.txt"
#define TUESDAY "--at=2026-11-24T10:00:00+09:00"

static const struct question questions[] = {
    /* A locked device is told how to be unlocked, and is as good as absent. */
    {{STICK, TUESDAY},
     "usb",
     "deny",
     "stick",
     "locked",
     "unlock: totp; approvals 1 (groups kakaricho); for 1h / -",
     NULL,
     NULL},
    {{STICK, TUESDAY, JUKI},
     "usb",
     "deny",
     "stick",
     "locked",
     "unlock: totp; approvals 1 (groups kakaricho); for 1h / -",
     NULL,
     NULL},
    {{CARD, TUESDAY}, "medium", "deny", "card", "locked", "unlock: totp; for 15m / -", NULL, NULL},
    {{CARD, TUESDAY, "--unlocked"}, "medium", "allow", "card", "rule", NULL, NULL, NULL},
    {{STICK, TUESDAY, "--unlocked"}, "medium", "allow", "stick", "rule", NULL, NULL, NULL},
    /* Taking out, codes and approvals given. */
    {{STICK, TUESDAY, JUKI, "--unlocked"},
     "export",
     "allow",
     "juki-out",
     "rule",
     NULL,
     "totp; approvals 2 (users sato, suzuki, tanaka; groups kakaricho); zip-aes256",
     ""},
    {{STICK, TUESDAY, JUKI, "--unlocked", "--size=101M"},
     "export",
     "deny",
     "juki-out",
     "size",
     "file-max: 100M / 101M",
     "totp; approvals 2 (users sato, suzuki, tanaka; groups kakaricho); zip-aes256",
     ""},
    {{STICK, "--at=2026-11-24T17:15:00+09:00", JUKI, "--unlocked"},
     "export",
     "deny",
     "juki-out",
     "when",
     "when: mon-fri 08:30-17:15 / tue 17:15",
     "totp; approvals 2 (users sato, suzuki, tanaka; groups kakaricho); zip-aes256",
     ""},
    {{STICK, TUESDAY, JUKI, "--unlocked", "--user=ito", "--groups=shimin"},
     "export",
     "deny",
     "juki-out",
     "who",
     "who: groups kazei / ito (shimin)",
     "totp; approvals 2 (users sato, suzuki, tanaka; groups kakaricho); zip-aes256",
     ""},
    {{STICK, TUESDAY, TOUKEI, "--unlocked"},
     "export",
     "deny",
     "default",
     "source",
     NULL,
     NULL,
     "juki-out from, class-2-out to, others-out to"},
    {{STICK, TUESDAY, OTHER, "--unlocked"},
     "export",
     "deny",
     "default",
     "source",
     NULL,
     NULL,
     "juki-out from, class-2-out to, others-out to"},
    {{ZIP_STICK, TUESDAY, TOUKEI}, "export", "allow", "class-2-out", "rule", NULL, "totp; zip-aes256", "juki-out to"},
    {{ZIP_STICK, TUESDAY, OTHER},
     "export",
     "allow",
     "others-out",
     "rule",
     NULL,
     "none; zip-aes256",
     "juki-out to, class-2-out classes"},
    {{ZIP_STICK, TUESDAY, OTHER, "--size=100M"},
     "export",
     "allow",
     "others-out",
     "rule",
     NULL,
     "none; zip-aes256",
     NULL},
    {{ZIP_STICK, TUESDAY, OTHER, "--size=104857601"},
     "export",
     "would-refuse",
     "others-out",
     "limit",
     "per-day: bytes 100M / files 0 + 1, bytes 0 + 104857601",
     "none; zip-aes256",
     NULL},
    {{ZIP_STICK, TUESDAY, JUKI},
     "export",
     "deny",
     "default",
     "source",
     NULL,
     NULL,
     "juki-out to, class-2-out classes, others-out from"},
    {{CARD, TUESDAY, TOUKEI, "--unlocked"},
     "export",
     "allow",
     "class-2-out",
     "rule",
     NULL,
     "totp; zip-aes256",
     "juki-out to"},
    {{CARD, TUESDAY, OTHER, "--unlocked"},
     "export",
     "deny",
     "default",
     "source",
     NULL,
     NULL,
     "juki-out to, class-2-out classes, others-out to"},
    /* What is not even read is no target. */
    {{"--bus=optical", TUESDAY, OTHER}, "medium", "deny", "media.optical", "rule", NULL, NULL, NULL},
};

static void test_questions(void **state)
{
    (void)state;
    questions_answered(questions, ELEMENTS(questions), POLICY, "ito");
}

static void test_name(void **state)
{
    static const struct question q = {.options = {STICK, TUESDAY, JUKI, "--unlocked"}};
    json_t *answer = question_ask(&q, POLICY, "ito");

    (void)state;
    assert_string_equal(question_text(answer, "name"), "住基データの持出し");
    json_decref(answer);
}

static void test_text(void **state)
{
    struct cli_run r = RUN(NULL, "/nonexistent", "policy", "explain", "--policy", POLICY, ZIP_STICK, TUESDAY, OTHER,
                           "--user=ito", "--groups=kazei");

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "taking out: allowed (take-out) by rule others-out ("));
    assert_non_null(strstr(r.out, "  asks for: none; zip-aes256\n"));
    assert_non_null(strstr(r.out, "class-2-out  for stores of other classes: wanted classes 2; found elsewhere\n"));
    cli_run_done(&r);
}

static void make_file(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* Nobody on this terminal may approve: that is what the policy says, whatever is shown. */
static void test_nobody_approves(void **state)
{
    static const char text[] =
        "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n"
        "usb: [{id: s, allow: export}]\n"
        "export: [{id: e, to: [s], from: [elsewhere], approvals: 1, approvers: {users: [ito]}}]\n";
    char path[] = "/tmp/kuraban-test-XXXXXX";
    struct cli_run r;

    (void)state;
    make_file(path, text);
    r = RUN(NULL, "/nonexistent", "policy", "explain", "--policy", path, ZIP_STICK, TUESDAY, OTHER, "--user=ito",
            "--groups=kazei");
    assert_non_null(strstr(r.out, "approvals: wanted 1 (users ito); found 0\n"));
    cli_run_done(&r);
    r = RUN(NULL, "/nonexistent", "policy", "explain", "--policy", path, ZIP_STICK, TUESDAY, OTHER, "--user=sato",
            "--groups=kazei");
    assert_non_null(strstr(r.out, "taking out: allowed"));
    cli_run_done(&r);
    (void)unlink(path);
}

static void test_usage(void **state)
{
    static const char *const wrong[][6] = {
        {"--export"},
        {"--export", "--path=/x"},
        {"--export", CARD},
        {CARD, "--path=/x", "--export", "--write"},
        {CARD, "--path=/x", "--export", "--program=/bin/x"},
        {CARD, "--path=/x", "--size=5"},
        {CARD, "--path=/x", "--export", "--size=many"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *words[RUN_WORDS_MAX] = {"policy", "explain", "--policy", POLICY};
        struct cli_run r;

        for (size_t k = 0; k < 6 && wrong[i][k]; k++)
            words[4 + k] = wrong[i][k];
        r = cli_run_words(NULL, "/nonexistent", words);
        if (r.code != CLI_USAGE)
            fail_msg("%zu: %d %s", i, (int)r.code, r.err);
        cli_run_done(&r);
    }
}

static void test_cases(void **state)
{
    static const char cases[] =
        "format: kuraban-policy-cases/1\ntimezone: Asia/Tokyo\nat: 2026-11-24T10:00:00+09:00\n"
        "user: ito\ngroups: [kazei]\ncases:\n"
#define USB "    usb: {device: \"0781:5583\", serial: \"4C530001\", interfaces: [\"08:06:50\"]}\n"
#define LUKS "    medium: {filesystem: crypto_LUKS}\n"
        "  - name: locked\n" USB "    expect: {verdict: deny, reason: locked, rule: stick}\n"
        "  - name: unlocked\n    unlocked: true\n" USB LUKS "    expect: {verdict: allow, granted: export}\n"
        "  - name: taken out with two approvals\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, size: 1M, factors: [totp], approvers: [{user: sato}, {groups: [kakaricho]}]}\n"
        "    expect: {verdict: allow, granted: export, rule: juki-out}\n"
        "  - name: one of them twice\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, factors: [totp], approvers: [{user: sato}, {user: sato}]}\n"
        "    expect: {verdict: deny, reason: approval}\n"
        "  - name: one of them somebody else\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, factors: [totp], approvers: [{user: sato}, {user: mori, groups: [shimin]}]}\n"
        "    expect: {verdict: deny, reason: approval}\n"
        "  - name: without a code\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, approvers: [{user: sato}, {user: suzuki}]}\n"
        "    expect: {verdict: deny, reason: factor}\n"
        "  - name: too many files\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, taken-files: 50, factors: totp, approvers: [{user: sato}, {user: suzuki}]}\n"
        "    expect: {verdict: deny, reason: limit}\n"
        "  - name: too many bytes\n    unlocked: true\n" USB LUKS
        "    export: {path: /srv/juki/a, size: 2M, taken-bytes: 1023M, factors: totp, approvers: [{user: sato}, {user: suzuki}]}\n"
        "    expect: {verdict: deny, reason: limit}\n"
        "  - name: not from there\n    unlocked: true\n" USB LUKS "    export: {path: /home/ito/a, factors: totp}\n"
        "    expect: {verdict: deny, reason: source, rule: default}\n"
        "  - name: somebody else's\n    unlocked: true\n    user: mori\n" USB LUKS
        "    export: {path: /srv/juki/a, size: 1M, factors: [totp], approvers: [{user: sato}, {groups: [kakaricho]}]}\n"
        "    expect: {verdict: deny, reason: who}\n";
    char path[] = "/tmp/kuraban-test-XXXXXX";
    struct cli_run r;

    (void)state;
    make_file(path, cases);
    r = RUN(NULL, "/nonexistent", "policy", "test", path, "--policy", POLICY);
    if (r.code != CLI_OK)
        fail_msg("%s%s", r.out, r.err);
    assert_non_null(strstr(r.out, "10 cases: 10 as expected, 0 not"));
    cli_run_done(&r);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),       cmocka_unit_test(test_name),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_nobody_approves), cmocka_unit_test(test_usage), cmocka_unit_test(test_cases),
    };

    if (!setlocale(LC_ALL, "C.UTF-8") || setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

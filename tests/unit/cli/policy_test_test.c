/* kuraban policy test: what comes out as expected, what does not and where it says so, without anybody being on this machine. */
#include "unit/cli/run.h"

#include <jansson.h>
#include <locale.h>
#include <time.h>
#include <unistd.h>

#include "decide/decide.h"
#include "policy/cases.h"

static char directory[] = "/tmp/kuraban-test-XXXXXX";
static char policy_path[64], cases_path[64];

static const char policy_text[] =
    "format: kuraban-policy/1\norganization: c.example\nname: n\nversion: 1\n"
    "usb:\n"
    "  - id: stick\n"
    "    name: 貸出USBメモリ\n"
    "    allow: read\n"
    "    match: {device: \"0781:5583\", serial: [S1, S2]}\n"
    "    medium: {luks-only: true, capacity-max: 64G}\n"
    "    who: {groups: [kazei]}\n"
    "    when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}\n"
    "    until: 2027-03-31\n"
    "  - {id: pad, allow: use, match: {device: \"056a:00de\"}, monitor: true, who: {users: [suzuki]}}\n"
    "media:\n"
    "  fuse: {default: refuse, allow: [fuse.portal]}\n"
    "  rules:\n"
    "    - {id: drawings, allow: read, match: {bus: optical, label: D}}\n"
    "stores:\n"
    "  - id: residents\n"
    "    path: /srv/residents\n"
    "    programs:\n"
    "      - {path: /opt/client}\n"
    "      - {path: /opt/pinned, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}\n";

#define HEAD                                                                                                           \
    "format: kuraban-policy-cases/1\ntimezone: Asia/Tokyo\nat: 2026-11-24T10:00:00+09:00\nuser: tanaka\n"              \
    "groups: [kazei]\ncases:\n"
#define STICK "usb: {device: \"0781:5583\", serial: S1, interfaces: [\"08:06:50\"]}"

static struct cli_run run_cases(const char *cases, const char *option)
{
    cli_write_file(policy_path, policy_text);
    cli_write_file(cases_path, cases);
    return RUN(NULL, "/nonexistent", "policy", "test", cases_path, "--policy", policy_path, option);
}

static void test_as_expected(void **state)
{
    static const char cases[] = HEAD
        "  - {name: a, " STICK ", expect: {verdict: allow, granted: read, rule: stick, reason: rule}}\n"
        "  - {name: b, at: 2026-11-24T17:15:00+09:00, " STICK ", expect: {verdict: deny, reason: when}}\n"
        "  - {name: c, at: 2026-11-24T17:14:59+09:00, " STICK ", expect: {verdict: allow}}\n"
        "  - {name: d, at: 2026-11-28T10:00:00+09:00, " STICK ", expect: {verdict: deny, reason: when}}\n"
        "  - {name: e, at: 2027-03-31T17:00:00+09:00, " STICK ", expect: {verdict: allow}}\n"
        "  - {name: f, at: 2027-04-01T10:00:00+09:00, " STICK ", expect: {verdict: deny, reason: expired}}\n"
        "  - {name: g, groups: [welfare], " STICK ", expect: {verdict: deny, reason: who}}\n"
        "  - {name: h, usb: {device: \"0781:5583\", serial: S9, interfaces: [\"08:06:50\"]}, expect: {rule: default}}\n"
        "  - {name: i, usb: {device: \"0781:5583\", serial: S1, interfaces: [\"08:06:50\"], duplicate: true}, "
        "expect: {verdict: deny, reason: duplicate}}\n"
        "  - {name: j, usb: {device: \"056a:00de\", interfaces: [\"03:00:00\"]}, "
        "expect: {verdict: would-refuse, reason: who, granted: use}}\n"
        "  - {name: k, " STICK ", medium: {filesystem: vfat, capacity: 1G}, expect: {reason: encryption}}\n"
        "  - {name: l, " STICK ", medium: {inside-luks: true, filesystem: ext4, capacity: 65G}, "
        "expect: {reason: capacity}}\n"
        "  - {name: m, " STICK ", medium: {inside-luks: true, filesystem: ext4}, expect: {reason: capacity}}\n"
        "  - {name: n, " STICK ", medium: {inside-luks: true, capacity: 1G}, open: {}, "
        "expect: {verdict: allow, granted: read}}\n"
        "  - {name: o, " STICK ", medium: {inside-luks: true, capacity: 1G}, open: {write: true}, "
        "expect: {reason: write}}\n"
        "  - {name: p, " STICK ", medium: {inside-luks: true, capacity: 1G}, open: {execute: true}, "
        "expect: {reason: execute}}\n"
        "  - {name: q, medium: {bus: optical, label: D}, expect: {rule: drawings}}\n"
        "  - {name: r, medium: {bus: mmc}, expect: {rule: media.sdcard, verdict: deny}}\n"
        "  - {name: s, mount: {kind: fuse, type: fuse.portal}, expect: {verdict: allow}}\n"
        "  - {name: t, mount: {kind: fuse, type: fuse.sshfs, source: \"a@b:/\"}, expect: {verdict: deny}}\n"
        "  - {name: u, open: {path: /srv/residents/a/b, program: /opt/client}, expect: {granted: use}}\n"
        "  - {name: v, open: {path: /srv/residents/a, program: /bin/cat}, expect: {reason: program}}\n"
        "  - {name: w, open: {path: /srv/residents/a, program: /opt/pinned}, expect: {reason: hash}}\n"
        "  - {name: x, open: {path: /srv/residents/a, program: /opt/pinned, sha256: "
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}, expect: {verdict: allow}}\n"
        "  - {name: y, open: {path: /srv/residents2/a, program: /bin/cat}, expect: {verdict: allow}}\n"
        "  - {name: z, open: {path: /srv/residents/a}, expect: {reason: unknown}}\n";
    struct cli_run r = run_cases(cases, NULL);

    (void)state;
    if (r.code != CLI_OK)
        fail_msg("%s%s", r.out, r.err);
    assert_string_equal(r.out, "26 cases: 26 as expected, 0 not\n");
    cli_run_done(&r);
}

/* FILE:LINE:COL of the expectation, what was expected, what was decided, by which rule, and why. */
static void test_not_as_expected(void **state)
{
    static const char cases[] = HEAD "  - {name: fine, " STICK ", expect: {verdict: allow}}\n"
                                     "  - name: 土曜日にも読める\n"
                                     "    at: 2026-11-28T10:00:00+09:00\n"
                                     "    " STICK "\n"
                                     "    expect: {verdict: allow, rule: other}\n";
    char place[256];
    struct cli_run r = run_cases(cases, NULL);

    (void)state;
    assert_int_equal(r.code, CLI_NO);
    (void)snprintf(place, sizeof(place), "%s:11:23: 土曜日にも読める: verdict: expected allow, decided deny\n",
                   cases_path);
    assert_non_null(strstr(r.out, place));
    (void)snprintf(place, sizeof(place), "%s:11:36: 土曜日にも読める: rule: expected other, decided stick\n",
                   cases_path);
    assert_non_null(strstr(r.out, place));
    (void)snprintf(place, sizeof(place), "by rule stick “貸出USBメモリ” (%s:6:5)\n", policy_path);
    assert_non_null(strstr(r.out, place));
    assert_non_null(strstr(r.out, "when: wanted mon-fri 08:30-17:15; found sat 10:00\n"));
    assert_non_null(strstr(r.out, "2 cases: 1 as expected, 1 not\n"));
    assert_null(strstr(r.out, "fine"));
    cli_run_done(&r);
}

static void test_json(void **state)
{
    static const char cases[] = HEAD "  - {name: x, " STICK ", expect: {verdict: deny}}\n";
    struct cli_run r = run_cases(cases, "--json");
    json_t *answer = json_loads(r.out, 0, NULL), *result, *failure;

    (void)state;
    assert_int_equal(r.code, CLI_NO);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_int_equal(json_integer_value(json_object_get(answer, "failed")), 1);
    result = json_array_get(json_object_get(answer, "results"), 0);
    failure = json_array_get(json_object_get(result, "failures"), 0);
    assert_string_equal(json_string_value(json_object_get(failure, "key")), "verdict");
    assert_string_equal(json_string_value(json_object_get(failure, "decided")), "allow");
    assert_int_equal(json_integer_value(json_object_get(failure, "line")), 7);
    assert_int_equal(json_array_size(json_object_get(result, "steps")), 1);
    json_decref(answer);
    cli_run_done(&r);
}

static void test_wrong_files(void **state)
{
    struct cli_run r = run_cases("format: kuraban-policy-cases/1\ncases: [{nam: x}]\n", NULL);

    (void)state;
    assert_int_equal(r.code, CLI_NO);
    assert_non_null(strstr(r.out, ":2:"));
    assert_non_null(strstr(r.out, "did you mean"));
    cli_run_done(&r);
    r = run_cases("format: kuraban-policy-cases/1\ntimezone: Asia/Atlantis\nat: 2026-11-24T10:00:00+09:00\n"
                  "cases: [{name: x, " STICK ", expect: {verdict: deny}}]\n",
                  NULL);
    assert_int_equal(r.code, CLI_FAILED);
    assert_non_null(strstr(r.err, ":2:11: "));
    cli_run_done(&r);
    r = RUN(NULL, "/nonexistent", "policy", "test", "/nonexistent/cases.yaml", "--policy", policy_path);
    assert_int_equal(r.code, CLI_FAILED);
    cli_run_done(&r);
    r = RUN(NULL, "/nonexistent", "policy", "test", "/dev/null", "--policy", policy_path);
    assert_int_equal(r.code, CLI_FAILED);
    cli_run_done(&r);
}

/* Every reason that decide/ knows can be expected, under the same name. */
static void test_every_reason(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT_; i++) {
        char text[512];
        struct policy_cases *c = NULL;

        (void)snprintf(text, sizeof(text), HEAD "  - {name: x, " STICK ", expect: {reason: %s}}\n",
                       verdict_reason_name((enum verdict_reason)i));
        if (policy_cases_load((const uint8_t *)text, strlen(text), NULL, &c) != 0)
            fail_msg("%s is no reason", verdict_reason_name((enum verdict_reason)i));
        policy_cases_free(c);
    }
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(policy_path, sizeof(policy_path), "%s/policy.yaml", directory);
    (void)snprintf(cases_path, sizeof(cases_path), "%s/cases.yaml", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(policy_path);
    (void)unlink(cases_path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_expected), cmocka_unit_test(test_not_as_expected), cmocka_unit_test(test_json),
        cmocka_unit_test(test_wrong_files), cmocka_unit_test(test_every_reason),
    };

    if (access("/usr/share/zoneinfo/Asia/Tokyo", R_OK) < 0) {
        printf("SKIP: no time zone database (tzdata)\n");
        return TEST_EXIT_SKIP;
    }
    /* Another zone than that of the cases: theirs must win. */
    if (!setlocale(LC_ALL, "C.UTF-8") || setenv("TZ", "America/New_York", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, setup, teardown);
}

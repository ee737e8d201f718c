/* What a new policy changes for taking out, unlocking and logging in. */
#include "unit/diff/fixture.h"

#include "base/cleanup.h"

#define WORLD                                                                                                          \
    "usb: [{id: s, allow: export, match: {serial: A}}, {id: t, allow: export, match: {serial: B}}]\n"                  \
    "stores: [{id: juki, path: /j, class: 3B}, {id: toukei, path: /t, class: 2}]\n"
#define WORLD2                                                                                                         \
    "usb: [{id: s, allow: export, match: {serial: A}}, {id: t, allow: export, match: {serial: B}}]\n"                  \
    "stores: [{id: juki, path: /j, class: 3B}, {id: twin, path: /j, class: 3B}, {id: toukei, path: /t, class: 2}]\n"
#define OUT(text) WORLD "export: [{id: a, factors: totp, approvals: 0, " text "}]\n"
#define JUKI(text) OUT("to: [s], from: [juki]" text)
#define STICK(text) "usb: [{id: s, allow: read, match: {serial: A}, unique: ignore" text "}]\n"
#define SAME "{/j → s}\n"

static const struct diff_row rows[] = {
    {"nothing", JUKI(""), JUKI(""), ""},
    {"a class is its stores", JUKI(""), OUT("to: [s], classes: [3B]"), ""},
    {"two rules or one", OUT("to: [s, t], from: [juki]"),
     WORLD "export: [{id: a, to: [s], from: [juki], approvals: 0}, {id: b, to: [t], from: [juki], approvals: 0}]\n",
     ""},
    {"a rule", WORLD, JUKI(", per-day: {files: 5}"),
     "wider export permitted; factors: - > totp; approvals: - > 0; container: - > zip-aes256; per-day: - > files 5 "
     "[default > a] " SAME},
    {"a rule less", JUKI(", file-max: 1M"), WORLD,
     "narrower export refused; factors: totp > -; approvals: 0 > -; container: zip-aes256 > -; file-max: 1M > - "
     "[a > default] " SAME},
    {"another store, another stick, what is elsewhere", JUKI(""), OUT("to: [s, t], from: [juki, toukei, elsewhere]"),
     "wider export permitted; factors: - > totp; approvals: - > 0; container: - > zip-aes256 [default > a] "
     "{/j → t | /t → s | /t → t | elsewhere → s | elsewhere → t}\n"},
    {"more people", JUKI(", who: {groups: [tax]}"), JUKI(""),
     "wider export conditions; who: groups tax > - [a > a] " SAME},
    {"fewer hours", JUKI(""), JUKI(", when: {days: mon-fri}"),
     "narrower export conditions; when: - > mon-fri [a > a] " SAME},
    {"an end", JUKI(""), JUKI(", until: 2027-03-31"),
     "narrower export conditions; until: - > 2027-03-31 [a > a] " SAME},
    {"no code", WORLD "export: [{id: a, to: [s], from: [juki]}]\n",
     WORLD "export: [{id: a, to: [s], from: [juki], factors: none}]\n",
     "wider export conditions; factors: totp > none [a > a] " SAME},
    {"fewer approvals", WORLD "export: [{id: a, to: [s], from: [juki], approvals: 2}]\n",
     WORLD "export: [{id: a, to: [s], from: [juki], approvals: 1}]\n",
     "wider export conditions; approvals: 2 > 1 [a > a] " SAME},
    {"fewer who approve", WORLD "export: [{id: a, to: [s], from: [juki], approvals: 1}]\n",
     WORLD "export: [{id: a, to: [s], from: [juki], approvals: 1, approvers: {groups: [k]}}]\n",
     "narrower export conditions; approvals: 1 > 1 (groups k) [a > a] " SAME},
    {"unencrypted", JUKI(""), JUKI(", container: plain"),
     "wider export conditions; container: zip-aes256 > plain [a > a] " SAME},
    {"otherwise encrypted", JUKI(""), JUKI(", container: luks"),
     "other export conditions; container: zip-aes256 > luks [a > a] " SAME},
    {"unseen", JUKI(", content: {uninspectable: refuse}"), JUKI(""),
     "wider export conditions; content: true > - [a > a] " SAME},
    {"larger files, fewer of them", JUKI(", file-max: 1M, per-day: {files: 5}"),
     JUKI(", file-max: 2M, per-day: {files: 4, bytes: 8M}"),
     "other export conditions; file-max: 1M > 2M; per-day: files 5 > files 4, bytes 8M [a > a] " SAME},
    {"only recorded", JUKI(""), JUKI(", monitor: true"), "wider export conditions; monitor: - > true [a > a] " SAME},
    {"an earlier rule takes it", JUKI(""),
     WORLD "export: [{id: z, to: [s], from: [juki], approvals: 1}, {id: a, to: [s], from: [juki], approvals: 0}]\n",
     "narrower export conditions; approvals: 0 > 1 [a > z] " SAME},

    {"one directory twice", WORLD2, WORLD2 "export: [{id: a, to: [s], from: [juki, twin], approvals: 0}]\n",
     "wider export permitted; factors: - > totp; approvals: - > 0; container: - > zip-aes256 [default > a] " SAME},

    {"locked", STICK(""), STICK(", unlock: {}"),
     "narrower usb conditions; unlock: - > totp; for 15m [s > s] {serial A}\n"},
    {"open", STICK(", unlock: {approvals: 1}"), STICK(""),
     "wider usb conditions; unlock: totp; approvals 1; for 15m > - [s > s] {serial A}\n"},
    {"locked longer, by more", STICK(", unlock: {for: 1h}"), STICK(", unlock: {for: 2h, approvals: 1}"),
     "other usb conditions; unlock: totp; for 1h > totp; approvals 1; for 2h [s > s] {serial A}\n"},
    {"locked for less", STICK(", unlock: {for: 1h}"), STICK(", unlock: {for: 90s}"),
     "narrower usb conditions; unlock: totp; for 1h > totp; for 90s [s > s] {serial A}\n"},
    {"a card", "media: {rules: [{id: m, allow: read, match: {bus: mmc}, unlock: {}}]}\n",
     "media: {rules: [{id: m, allow: read, match: {bus: mmc}}]}\n",
     "wider media conditions; unlock: totp; for 15m > - [m > m] {mmc}\n"},

    {"a login asks", "", "mfa: {login: {services: [login], who: {groups: [g]}}}\n",
     "narrower mfa changed; mfa.login: - > services login; who groups g; password, totp; grace 0\n"},
    {"no login asks", "mfa: {login: {}}\n", "",
     "wider mfa changed; mfa.login: services *; password, totp; grace 0 > -\n"},
    {"a service less", "mfa: {login: {services: [login, sshd]}}\n", "mfa: {login: {services: [login]}}\n",
     "wider mfa changed; mfa.login: services login, sshd; password, totp; grace 0 > services login; password, totp; "
     "grace 0\n"},
    {"more who are asked, later", "mfa: {login: {who: {users: [a]}}}\n", "mfa: {login: {grace: 7d}}\n",
     "other mfa changed; mfa.login: services *; who users a; password, totp; grace 0 > services *; password, totp; "
     "grace 7d\n"},
    {"enrolment", "mfa: {enrol: root}\n", "mfa: {enrol: first-login}\n",
     "wider mfa changed; mfa.enrol: root > first-login\n"},
    {"more wrong codes", "", "mfa: {throttle: {failures: 20}}\n",
     "wider mfa changed; mfa.throttle: failures 10; delay exponential; lock 15m > failures 20; delay exponential; "
     "lock 15m\n"},
    {"until root", "", "mfa: {throttle: {lock: until-root}}\n",
     "narrower mfa changed; mfa.throttle: failures 10; delay exponential; lock 15m > failures 10; delay exponential; "
     "lock until-root\n"},
    {"no waiting", "", "mfa: {throttle: {delay: none}}\n",
     "wider mfa changed; mfa.throttle: failures 10; delay exponential; lock 15m > failures 10; delay none; lock 15m\n"},
    {"a window", "", "mfa: {window: 2}\n", "wider mfa changed; mfa.window: 1 > 2\n"},
    {"what a zone sets", "zone: mynumber\n", "zone: mynumber\nmfa: {enrol: root}\n", ""},
};

static void test_table(void **state)
{
    (void)state;
    diff_rows_told(rows, ELEMENTS(rows));
}

static void test_backwards(void **state)
{
    (void)state;
    diff_rows_backwards(rows, ELEMENTS(rows));
}

static void test_limit(void **state)
{
    const struct diff_options few = {.cases_max = 2};
    struct policy *a = diff_load(WORLD, 1), *b = diff_load(JUKI(""), 1);
    struct diff *d = NULL;

    (void)state;
    assert_int_equal(diff_policies(a, b, &few, &d), 0);
    assert_true(d->incomplete);
    (void)diff_free(d);
    (void)policy_unref(a);
    (void)policy_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_backwards),
                                       cmocka_unit_test(test_limit)};

    if (setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* policy explain by the policy of an office: hours, dates and people of what is nowhere plugged in, media, files and a store. */
#include "unit/cli/bus.h"
#include "unit/cli/questions.h"

#include <locale.h>
#include <time.h>

#include "base/cleanup.h"

/* A policy with a stick, hours, people, media rules and a store, for the explanations. */
static void write_office(void)
{
    cli_write_file(
        policy_path,
        "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\n"
        "usb:\n"
        "  - {id: keyboard, allow: use, match: {interfaces: {all-of: [\"03:01:01\"]}}}\n"
        "  - {id: not-on-sunday, refuse: true, when: {days: sun}}\n"
        "  - id: stick\n    name: stick no. 12\n    allow: read\n"
        "    match: {device: \"0781:5583\", serial: [S1, S2]}\n    medium: {luks-only: true, capacity-max: 64G}\n"
        "    who: {groups: [kazei]}\n    when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}\n"
        "    until: 2027-03-31\n"
        "media:\n  rules:\n    - {id: drawings, allow: read, match: {bus: optical, label: D}, exec: allow}\n"
        "stores:\n  - {id: residents, path: /nonexistent/srv/residents, who: {groups: [kazei]}, "
        "programs: [{path: /nonexistent/bin/client}]}\n");
}

static const struct question questions[] = {
    /* Hours, dates and people of a USB device that is nowhere plugged in. */
    {{"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50", "--at", "2026-11-24T10:00:00+09:00"},
     "usb",
     "allow",
     "stick",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50", "--at", "2026-11-24T17:15:00+09:00"},
     "usb",
     "deny",
     "stick",
     "when",
     "when: mon-fri 08:30-17:15 / tue 17:15",
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50", "--at", "2027-04-01T10:00:00+09:00"},
     "usb",
     "deny",
     "stick",
     "expired",
     "until: 2027-03-31 / 2027-04-01 10:00:00",
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50", "--at", "2027-03-31T10:00:00+09:00"},
     "usb",
     "allow",
     "stick",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50", "--at", "2026-11-22T10:00:00+09:00"},
     "usb",
     "deny",
     "not-on-sunday",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S3", "--interface", "08:06:50", "--at", "2026-11-24T10:00:00+09:00"},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     NULL,
     NULL},
    {{"--device", "0781:5583", "--interface", "08:06:50,03:01:01", "--interface", "03:00:00"},
     "usb",
     "allow",
     "keyboard",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S1", "--interface", "08:06:50", "--at", "2026-11-24T10:00:00+09:00",
      "--groups", "welfare"},
     "usb",
     "deny",
     "stick",
     "who",
     "who: groups kazei / tanaka (welfare)",
     NULL,
     NULL},
    /* The medium in it, and a file on that. */
    {{"--device", "0781:5583", "--serial", "S1", "--interface", "08:06:50", "--at", "2026-11-24T10:00:00+09:00",
      "--filesystem", "vfat"},
     "medium",
     "deny",
     "stick",
     "encryption",
     "luks-only: crypto_LUKS / vfat",
     NULL,
     NULL},
    {{"--device", "0781:5583", "--serial", "S1", "--interface", "08:06:50", "--at", "2026-11-24T10:00:00+09:00",
      "--luks", "--capacity", "65G"},
     "medium",
     "deny",
     "stick",
     "capacity",
     "capacity-max: 64G / 65G",
     NULL,
     NULL},
    {{"--device=0781:5583", "--serial=S1", "--interface=08:06:50", "--at=2026-11-24T10:00:00+09:00", "--luks",
      "--capacity=64G", "--path=/media/a", "--write"},
     "file",
     "deny",
     "stick",
     "write",
     NULL,
     NULL,
     NULL},
    {{"--device=0781:5583", "--serial=S1", "--interface=08:06:50", "--at=2026-11-24T10:00:00+09:00", "--luks",
      "--capacity=64G", "--path=/media/a", "--exec"},
     "file",
     "deny",
     "stick",
     "execute",
     "exec: refuse / execute",
     NULL,
     NULL},
    {{"--device=0781:5583", "--serial=S1", "--interface=08:06:50", "--at=2026-11-24T10:00:00+09:00", "--luks",
      "--capacity=64G", "--path=/media/a"},
     "file",
     "allow",
     "stick",
     "rule",
     NULL,
     NULL,
     NULL},
    /* Other buses. */
    {{"--bus", "optical", "--label", "D", "--path", "/media/a", "--execute"},
     "file",
     "allow",
     "drawings",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--bus", "optical", "--label", "E"}, "medium", "deny", "media.optical", "rule", NULL, NULL, NULL},
    {{"--bus", "mmc", "--label", "D"}, "medium", "deny", "media.sdcard", "rule", NULL, NULL, NULL},
    /* A store that is on another machine. */
    {{"--path", "/nonexistent/srv/residents/a", "--program", "/nonexistent/bin/client"},
     "file",
     "allow",
     "residents",
     "rule",
     NULL,
     NULL,
     NULL},
    {{"--path", "/nonexistent/srv/residents/a", "--program", "/nonexistent/bin/other"},
     "file",
     "deny",
     "residents",
     "program",
     "programs: /nonexistent/bin/client / /nonexistent/bin/other",
     NULL,
     NULL},
    {{"--path", "/nonexistent/srv/residents/a", "--program", "/nonexistent/bin/client", "--groups", "welfare"},
     "file",
     "deny",
     "residents",
     "who",
     "who: groups kazei / tanaka (welfare)",
     NULL,
     NULL},
};

static void test_questions(void **state)
{
    (void)state;
    write_office();
    questions_answered(questions, ELEMENTS(questions), policy_path, "tanaka");
}

/* For each earlier rule: its attribute, what it wants, what there is; for the deciding one its name and place. */
static void test_earlier_rules(void **state)
{
    static const struct question q = {.options = {"--device", "0781:5583", "--serial", "S2", "--interface", "08:06:50",
                                                  "--at", "2026-11-24T10:00:00+09:00"}};
    json_t *answer, *rules, *at;

    (void)state;
    write_office();
    answer = question_ask(&q, policy_path, "tanaka");
    rules = json_object_get(answer, "rules");
    expect(json_array_get(rules, 0), "key", "interfaces");
    expect(json_array_get(rules, 0), "wanted", "all-of: 03:01:01");
    expect(json_array_get(rules, 0), "found", "08:06:50");
    expect(json_array_get(rules, 1), "key", "when");
    expect(json_array_get(rules, 1), "wanted", "sun");
    expect(json_array_get(rules, 1), "found", "tue 10:00");
    assert_true(json_is_true(json_object_get(json_array_get(rules, 2), "decides")));
    expect(answer, "name", "stick no. 12");
    at = json_object_get(answer, "position");
    expect(at, "file", policy_path);
    assert_int_equal(json_integer_value(json_object_get(at, "line")), 9);
    assert_int_equal(json_integer_value(json_object_get(at, "column")), 5);
    json_decref(answer);
}

static void test_explain_usage(void **state)
{
    static const char *const wrong[][6] = {
        {"--device", "0781:5583"},                             /* without interfaces */
        {"--device", "0781:5583", "--interface", "08:06"},     /* no interface */
        {"--device", "0781:5583", "--interface", "08:06:50,"}, /* nor this */
        {"--device", "1-2", "--serial", "S1"},                 /* one that is there has its own */
        {"--bus", "usb"},                                      /* belongs to a device */
        {"--bus", "mmc", "--interface", "08:06:50"},           /* has none */
        {"--bus", "mmc", "--capacity", "much"},                /* no size */
        {"--bus", "mmc", "--device", "1-2"},                   /* one of them */
        {"--device", "1-2", "--write"},                        /* of a file only */
        {"--path", "/nonexistent/srv/residents/a"},            /* by which program? */
        {"--user", "no such user", "--device", "1-2"},
    };

    (void)state;
    write_office();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *words[RUN_WORDS_MAX + 1] = {"policy", "explain"};
        struct cli_run r;

        for (size_t k = 0; k < 6 && wrong[i][k]; k++)
            words[2 + k] = wrong[i][k];
        r = cli_run_words(config_path, bus.root, words);
        if (r.code != CLI_USAGE)
            fail_msg("%s %s: exit %d", wrong[i][0], wrong[i][1], (int)r.code);
        cli_run_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_questions, bus_setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_earlier_rules, bus_setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_explain_usage, bus_setup, bus_teardown),
    };

    if (!setlocale(LC_ALL, "C.UTF-8") || setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

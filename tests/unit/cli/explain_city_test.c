/*
 * policy explain about everything that the policy of a city says (tests/data/policy/full.yaml, the example of kuraban-policy(5) and
 * more): the rule that decides, the condition that refuses with both sides, and of each earlier rule what did not match. Nothing of it
 * is plugged in, and nobody of it exists here.
 */
#include "unit/cli/run.h"

#include <jansson.h>
#include <locale.h>
#include <time.h>

enum {
    OPTIONS_MAX = 10
};

struct question {
    const char *options[OPTIONS_MAX];
    const char *object, *verdict, *rule, *reason;
    const char *condition; /* "key: wanted / found"; NULL: none */
    const char *earlier;   /* "rule key, …" of all before the one that decides; NULL: not asked */
};

#define STICK "--device=0781:5583", "--interface=08:06:50"
#define NUMBER "--serial=4C530002"
#define TUESDAY "--at=2026-11-24T10:00:00+09:00"
#define HASH "--hash=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define HUB "--parent-hash=60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
#define OTHER_HASH "0000000000000000000000000000000000000000000000000000000000000000"
#define CAMERA "--device=046d:0825", "--interface=0e:01:00", "--connect-type=hotplug"
#define DISC "--bus=optical", "--label=DRAWINGS"
#define STORE "--path=/srv/juki/list"

static const struct question questions[] = {
    /* Devices. */
    {{"--device=046d:c31c", "--interface=03:01:01", "--connect-type=hardwired"},
     "usb",
     "allow",
     "kb-builtin",
     "rule",
     NULL,
     ""},
    {{"--device=046d:c31c", "--interface=03:01:01", "--connect-type=hotplug"},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick device, no-phones interfaces, dock-camera hash, lent-stick serial"},
    {{STICK, NUMBER, TUESDAY}, "usb", "allow", "kazei-stick", "rule", NULL, "kb-builtin connect-type"},
    {{"--device=0781:5583", "--interface=08:06:50,03:01:01", NUMBER, TUESDAY},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick interfaces, no-phones interfaces, dock-camera device, lent-stick serial"},
    {{STICK, "--serial=OTHER", TUESDAY},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick serial, no-phones interfaces, dock-camera device, lent-stick serial"},
    {{STICK, NUMBER, "--at=2026-11-24T17:15:00+09:00"},
     "usb",
     "deny",
     "kazei-stick",
     "when",
     "when: mon-fri 08:30-17:15 / tue 17:15",
     NULL},
    {{STICK, NUMBER, "--at=2026-11-28T10:00:00+09:00"},
     "usb",
     "deny",
     "kazei-stick",
     "when",
     "when: mon-fri 08:30-17:15 / sat 10:00",
     NULL},
    {{STICK, NUMBER, "--at=2027-03-31T10:00:00+09:00"}, "usb", "allow", "kazei-stick", "rule", NULL, NULL},
    {{STICK, NUMBER, "--at=2027-04-01T10:00:00+09:00"},
     "usb",
     "deny",
     "kazei-stick",
     "expired",
     "until: 2027-03-31 / 2027-04-01 10:00:00",
     NULL},
    {{STICK, NUMBER, TUESDAY, "--groups=shimin,users"},
     "usb",
     "deny",
     "kazei-stick",
     "who",
     "who: groups kazei / tanaka (shimin, users)",
     NULL},
    {{"--device=05ac:12a8", "--interface=06:01:01"},
     "usb",
     "deny",
     "no-phones",
     "rule",
     NULL,
     "kb-builtin connect-type, kazei-stick device"},
    {{CAMERA, HASH, HUB, "--port=1-2", "--name=HD"}, "usb", "allow", "dock-camera", "rule", NULL, NULL},
    {{CAMERA, HASH, HUB, "--port=1-3", "--name=HD"},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick device, no-phones interfaces, dock-camera port, lent-stick serial"},
    {{CAMERA, HASH, HUB, "--port=1-2", "--name=Unknown"},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick device, no-phones interfaces, dock-camera name, lent-stick serial"},
    {{CAMERA, HASH, "--parent-hash=" OTHER_HASH, "--port=1-2"},
     "usb",
     "deny",
     "default",
     "default",
     NULL,
     "kb-builtin connect-type, kazei-stick device, no-phones interfaces, dock-camera parent-hash, lent-stick serial"},
    /* What it may not do is only recorded: the rule is in monitor. */
    {{"--device=046d:0825", "--interface=01:01:00", "--connect-type=hotplug", HASH, HUB, "--port=1-2"},
     "usb",
     "allow",
     "dock-camera",
     "interfaces",
     "allow.interfaces: 0e:*:* / 01:01:00",
     NULL},
    {{"--device=1234:5678", "--serial=LENT-7", "--interface=08:06:50"},
     "usb",
     "allow",
     "lent-stick",
     "rule",
     NULL,
     NULL},
    /* Media of USB devices. */
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat", "--capacity=32G"},
     "medium",
     "allow",
     "kazei-stick",
     "rule",
     NULL,
     NULL},
    {{STICK, NUMBER, TUESDAY, "--filesystem=vfat", "--capacity=32G"},
     "medium",
     "deny",
     "kazei-stick",
     "encryption",
     "luks-only: crypto_LUKS / vfat",
     NULL},
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=ext4", "--capacity=32G"},
     "medium",
     "deny",
     "kazei-stick",
     "filesystem",
     "filesystem: vfat, exfat / ext4 (crypto_LUKS)",
     NULL},
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat", "--capacity=128G"},
     "medium",
     "deny",
     "kazei-stick",
     "capacity",
     "capacity-max: 64G / 128G",
     NULL},
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat"},
     "medium",
     "deny",
     "kazei-stick",
     "capacity",
     "capacity-max: 64G / -",
     NULL},
    /* Files on them. */
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat", "--capacity=32G", "--path=/media/a"},
     "file",
     "allow",
     "kazei-stick",
     "rule",
     NULL,
     NULL},
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat", "--capacity=32G", "--path=/media/a", "--write"},
     "file",
     "deny",
     "kazei-stick",
     "write",
     NULL,
     NULL},
    {{STICK, NUMBER, TUESDAY, "--luks", "--filesystem=vfat", "--capacity=32G", "--path=/media/a", "--execute"},
     "file",
     "deny",
     "kazei-stick",
     "execute",
     "exec: refuse / execute",
     NULL},
    /* Other media. */
    {{DISC, "--node=/dev/sr0", "--filesystem=iso9660", "--capacity=4G", TUESDAY},
     "medium",
     "allow",
     "drawing-discs",
     "rule",
     NULL,
     NULL},
    {{DISC, "--node=/dev/sr0", "--filesystem=udf", "--capacity=4G", TUESDAY},
     "medium",
     "deny",
     "drawing-discs",
     "filesystem",
     "filesystem: iso9660 / udf",
     NULL},
    {{DISC, "--node=/dev/sr0", "--filesystem=iso9660", "--capacity=6G", TUESDAY},
     "medium",
     "deny",
     "drawing-discs",
     "capacity",
     "capacity-max: 5G / 6G",
     NULL},
    {{DISC, "--node=/dev/sr0", "--filesystem=iso9660", "--capacity=4G", "--at=2027-01-01T10:00:00+09:00"},
     "medium",
     "deny",
     "drawing-discs",
     "expired",
     "until: 2026-12-31 / 2027-01-01 10:00:00",
     NULL},
    {{DISC, "--node=/dev/sr0", "--filesystem=iso9660", "--capacity=4G", TUESDAY, "--user=suzuki"},
     "medium",
     "deny",
     "drawing-discs",
     "who",
     "who: users tanaka, sato / suzuki (kazei)",
     NULL},
    {{"--bus=optical", "--label=ADVERTISING", "--node=/dev/sr0"},
     "medium",
     "deny",
     "media.optical",
     "rule",
     NULL,
     "drawing-discs label, no-cards bus"},
    {{DISC, "--node=/dev/sdb"}, "medium", "deny", "media.optical", "rule", NULL, "drawing-discs path, no-cards bus"},
    {{"--bus=mmc"}, "medium", "deny", "no-cards", "rule", NULL, "drawing-discs bus"},
    {{"--bus=firewire"}, "medium", "deny", "media.firewire", "rule", NULL, "drawing-discs bus, no-cards bus"},
    /* The store: by night, from the evening of one of its days. */
    {{STORE, "--program=/opt/juki/bin/batch", "--at=2026-11-24T23:00:00+09:00"},
     "file",
     "allow",
     "juki",
     "rule",
     NULL,
     NULL},
    {{STORE, "--program=/opt/juki/bin/batch", "--at=2026-11-25T05:59:00+09:00"},
     "file",
     "allow",
     "juki",
     "rule",
     NULL,
     NULL},
    {{STORE, "--program=/opt/juki/bin/batch", "--at=2026-11-25T23:00:00+09:00"},
     "file",
     "deny",
     "juki",
     "when",
     "when: mon,tue,sat 22:00-06:00 / wed 23:00",
     NULL},
    {{STORE, "--program=/opt/juki/bin/batch", "--at=2026-11-24T23:00:00+09:00", "--groups=shimin"},
     "file",
     "deny",
     "juki",
     "who",
     "who: groups kazei / tanaka (shimin)",
     NULL},
    {{STORE, "--program=/opt/juki/bin/client", "--at=2026-11-24T23:00:00+09:00"},
     "file",
     "deny",
     "juki",
     "hash",
     "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 / -",
     NULL},
    {{STORE, "--program=/nonexistent/cat", "--at=2026-11-24T23:00:00+09:00"},
     "file",
     "deny",
     "juki",
     "program",
     "programs: /opt/juki/bin/client, /opt/juki/bin/batch / /nonexistent/cat",
     NULL},
};

static json_t *ask(const struct question *q)
{
    const char *words[RUN_WORDS_MAX + 1] = {"--json", "policy", "explain", "--policy",
                                            KURABAN_TEST_DATA "/policy/full.yaml"};
    bool user = false, groups = false;
    size_t n = 5;
    struct cli_run r;
    json_t *answer;

    for (size_t i = 0; i < OPTIONS_MAX && q->options[i]; i++) {
        words[n++] = q->options[i];
        user = user || strncmp(q->options[i], "--user", 6) == 0;
        groups = groups || strncmp(q->options[i], "--groups", 8) == 0;
    }
    if (!user)
        words[n++] = "--user=tanaka";
    if (!groups)
        words[n++] = "--groups=kazei";
    r = cli_run_words(NULL, "/nonexistent", words);
    if (r.code != CLI_OK)
        fail_msg("%s %s %s: %s", q->options[0], q->rule, q->reason, r.err);
    answer = json_loads(r.out, 0, NULL);
    assert_non_null(answer);
    cli_run_done(&r);
    return answer;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "-";
}

static char *condition_of(const json_t *answer)
{
    char *text = NULL;

    if (json_is_null(json_object_get(answer, "key")))
        return NULL;
    assert_true(asprintf(&text, "%s: %s / %s", text_of(answer, "key"), text_of(answer, "wanted"),
                         text_of(answer, "found")) > 0);
    return text;
}

/* Each also says what it wants and what there is. */
static char *earlier_of(const json_t *answer)
{
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    const json_t *rule;

    assert_non_null(out);
    json_array_foreach(json_object_get(answer, "rules"), i, rule)
    {
        if (json_is_true(json_object_get(rule, "decides")))
            break;
        assert_true(json_is_string(json_object_get(rule, "wanted")) && json_is_string(json_object_get(rule, "found")));
        (void)fprintf(out, "%s%s %s", i > 0 ? ", " : "", text_of(rule, "id"), text_of(rule, "key"));
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool same(const char *what, const char *expected, const char *seen)
{
    if (strcmp(expected ? expected : "-", seen ? seen : "-") == 0)
        return true;
    print_error("%s: expected %s, seen %s\n", what, expected ? expected : "-", seen ? seen : "-");
    return false;
}

static bool look_at(const struct question *q)
{
    json_t *answer = ask(q);
    char *condition = condition_of(answer), *earlier = earlier_of(answer);
    bool good = same("object", q->object, text_of(answer, "object"));

    good = same("verdict", q->verdict, text_of(answer, "verdict")) && good;
    good = same("rule", q->rule, text_of(answer, "rule")) && good;
    good = same("reason", q->reason, text_of(answer, "reason")) && good;
    good = same("condition", q->condition, condition) && good;
    good = (!q->earlier || same("earlier", q->earlier, earlier)) && good;
    free(condition);
    free(earlier);
    json_decref(answer);
    return good;
}

static void test_questions(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        if (!look_at(&questions[i])) {
            print_error("… of question %zu: %s %s\n", i, questions[i].options[0], questions[i].options[1]);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

/* Everything that the text shows is of the same answer; once, to see that it is one. */
static void test_text(void **state)
{
    struct cli_run r = RUN(NULL, "/nonexistent", "policy", "explain", "--policy", KURABAN_TEST_DATA "/policy/full.yaml",
                           STICK, "--serial=OTHER", TUESDAY, "--user=tanaka", "--groups=kazei");

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "USB device: refused (nothing) by rule default\n"));
    assert_non_null(strstr(r.out, "kazei-stick  other serial number: wanted 4C530001, 4C530002; found OTHER\n"));
    cli_run_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_questions), cmocka_unit_test(test_text)};

    if (!setlocale(LC_ALL, "C.UTF-8") || setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

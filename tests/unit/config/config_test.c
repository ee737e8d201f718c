#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "policy/findings.h"

static int parse(const char *text, struct policy_findings *findings, struct config **ret)
{
    *findings = (struct policy_findings){0};
    return config_parse(text, strlen(text), findings, ret);
}

static void test_defaults(void **state)
{
    struct policy_findings findings;
    struct config *c = NULL;

    (void)state;
    assert_int_equal(parse("format: kuraban-config/1\n", &findings, &c), 0);
    assert_string_equal(c->run_directory, "/run/kuraban");
    assert_string_equal(c->state_directory, "/var/lib/kuraban");
    assert_string_equal(c->journal_directory, "/var/lib/kuraban/journal");
    assert_string_equal(c->policy, "/etc/kuraban/policy.yaml");
    assert_int_equal(c->usb, CONFIG_ON);
    assert_int_equal(c->media, CONFIG_MEDIA_ON);
    assert_int_equal(c->n_exits, 0);
    assert_int_equal(c->journald, CONFIG_ON);
    assert_int_equal(c->keeper, CONFIG_AUTO);
    assert_int_equal(c->self_test_seconds, 60);
    assert_int_equal(c->workers, 4);
    assert_null(c->terminal_id);
    assert_int_equal(c->n_terminal_groups, 0);
    policy_findings_done(&findings);
    assert_null(config_free(c));
}

static void test_everything_set(void **state)
{
    struct policy_findings findings;
    struct config *c = NULL;

    (void)state;
    assert_int_equal(parse("format: kuraban-config/1\n"
                           "run-directory: /a/run\n"
                           "state-directory: /a/state\n"
                           "policy: /a/policy.yaml\n"
                           "usb: off\n"
                           "media: listed\n"
                           "exits: [/dev/loop7, /dev/sr0]\n"
                           "journald: off\n"
                           "keeper: on\n"
                           "self-test-seconds: 5\n"
                           "workers: 64\n"
                           "medium-patience-seconds: 3600\n"
                           "terminal: {id: kazei-07, groups: [kazei, 本庁]}\n",
                           &findings, &c),
                     0);
    assert_string_equal(c->run_directory, "/a/run");
    assert_string_equal(c->journal_directory, "/a/state/journal");
    assert_string_equal(c->policy, "/a/policy.yaml");
    assert_int_equal(c->usb, CONFIG_OFF);
    assert_int_equal(c->medium_patience_seconds, 3600);
    assert_int_equal(c->media, CONFIG_MEDIA_LISTED);
    assert_int_equal(c->n_exits, 2);
    assert_string_equal(c->exits[1], "/dev/sr0");
    assert_int_equal(c->journald, CONFIG_OFF);
    assert_int_equal(c->keeper, CONFIG_ON);
    assert_int_equal(c->self_test_seconds, 5);
    assert_int_equal(c->workers, 64);
    assert_string_equal(c->terminal_id, "kazei-07");
    assert_int_equal(c->n_terminal_groups, 2);
    assert_string_equal(c->terminal_groups[1], "本庁");
    policy_findings_done(&findings);
    (void)config_free(c);
}

/* Each is one mistake, found on the line where it stands. */
static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
    } bad[] = {
        {"usb: on\n", 0, 0}, /* no format; where that is told is the reader's business */
        {"format: kuraban-config/2\n", 1, 9},
        {"format: kuraban-config/1\nusb: maybe\n", 2, 6},
        {"format: kuraban-config/1\nsysfs: /tmp/sys\n", 2, 1},
        {"format: kuraban-config/1\nusb: on\nusb: off\n", 3, 1},
        {"format: kuraban-config/1\nrun-directory: run\n", 2, 16},
        {"format: kuraban-config/1\nrun-directory: /\n", 2, 16},
        {"format: kuraban-config/1\nstate-directory: /var/../etc\n", 2, 18},
        {"format: kuraban-config/1\npolicy: /etc/..\n", 2, 9},
        {"format: kuraban-config/1\nexits: [/dev/sdb, sdc]\n", 2, 19},
        {"format: kuraban-config/1\nexits: /etc/passwd\n", 2, 8},
        {"format: kuraban-config/1\nexits: {a: b}\n", 2, 8},
        {"format: kuraban-config/1\nself-test-seconds: 4\n", 2, 20},
        {"format: kuraban-config/1\nmedium-patience-seconds: 4\n", 2, 26},
        {"format: kuraban-config/1\nworkers: 0\n", 2, 10},
        {"format: kuraban-config/1\nworkers: 65\n", 2, 10},
        {"format: kuraban-config/1\nworkers: many\n", 2, 10},
        {"format: kuraban-config/1\nterminal: kazei-07\n", 2, 11},
        {"format: kuraban-config/1\nterminal: {id: [a]}\n", 2, 16},
        {"format: kuraban-config/1\nterminal: {id: \"\"}\n", 2, 16},
        {"format: kuraban-config/1\nterminal: {id: a, group: b}\n", 2, 19},
        {"format: kuraban-config/1\nterminal: {groups: [a, a]}\n", 2, 24},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct policy_findings findings;
        struct config *c = NULL;

        assert_int_equal(parse(bad[i].text, &findings, &c), CONFIG_E_INVALID);
        assert_null(c);
        assert_true(findings.n_errors > 0);
        if (bad[i].line > 0 &&
            (findings.items[0].at.line != bad[i].line || findings.items[0].at.column != bad[i].column))
            fail_msg("%s: found at %u:%u", bad[i].text, findings.items[0].at.line, findings.items[0].at.column);
        policy_findings_done(&findings);
    }
}

static void test_files(void **state)
{
    char directory[] = "/tmp/kuraban-config.XXXXXX", path[128], link[128];
    struct policy_findings findings = {0};
    struct config *c = NULL;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/kuraban.yaml", directory);
    (void)snprintf(link, sizeof(link), "%s/link.yaml", directory);
    assert_int_equal(config_load(path, &findings, &c), -ENOENT);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("format: kuraban-config/1\npolicy: /p.yaml\n", f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(config_load(path, &findings, &c), 0);
    assert_string_equal(c->policy, "/p.yaml");
    c = config_free(c);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(config_load(link, &findings, &c), -ELOOP);
    assert_true(config_load(directory, &findings, &c) < 0);
    f = fopen(path, "a");
    assert_non_null(f);
    for (int i = 0; i < CONFIG_SIZE_MAX / 16; i++)
        assert_true(fputs("# 3456789 12345\n", f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(config_load(path, &findings, &c), -EFBIG);
    assert_null(c);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    policy_findings_done(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

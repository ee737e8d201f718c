/* Which policy rules: the file while it is good and root's alone, else the last good one, else nothing. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"

#define NOW_US INT64_C(1800000000000000) /* 2027-01-15 */

struct place {
    char directory[64], file[96];
    int fd;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    if (!p)
        return -1;
    strcpy(p->directory, "/tmp/rulebook-test.XXXXXX");
    if (!mkdtemp(p->directory))
        return -1;
    (void)snprintf(p->file, sizeof(p->file), "%s/policy.yaml", p->directory);
    p->fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    (void)unlink(p->file);
    (void)unlinkat(p->fd, "policy.last-good.yaml", 0);
    close_fd(p->fd);
    (void)rmdir(p->directory);
    free(p);
    return 0;
}

static void write_policy(const struct place *p, int version, mode_t mode)
{
    FILE *f = fopen(p->file, "w");

    assert_non_null(f);
    assert_true(fprintf(f,
                        "format: kuraban-policy/1\norganization: city.example\nname: test\nversion: %d\n"
                        "zone: mynumber\nmode: enforce\n",
                        version) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(p->file, mode), 0);
}

static void new_rulebook(const struct place *p, const struct policy_names *names, struct rulebook **ret)
{
    static const char *const groups[] = {"kazei"};
    const struct rulebook_options options = {.file = p->file,
                                             .state_directory = p->fd,
                                             .names = names,
                                             .terminal = "kazei-07",
                                             .groups = groups,
                                             .n_groups = 1};

    assert_int_equal(rulebook_new(&options, ret), 0);
}

static struct rulebook *open_rulebook(const struct place *p, int expected)
{
    struct rulebook *b = NULL;

    new_rulebook(p, NULL, &b);
    assert_int_equal(rulebook_open(b, NOW_US), expected);
    return b;
}

static void test_file_rules(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;

    write_policy(p, 7, 0644);
    b = open_rulebook(p, 0);
    assert_int_equal(rulebook_source(b), RULEBOOK_FILE);
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_non_null(strstr(rulebook_document(b), "version: 7"));
    assert_null(rulebook_free(b));
}

static void test_bad_file_changes_nothing(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;
    json_t *findings;
    FILE *f;

    write_policy(p, 7, 0644);
    b = open_rulebook(p, 0);
    f = fopen(p->file, "w");
    assert_non_null(f);
    assert_true(fputs("format: kuraban-policy/1\nnonsense: 1\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rulebook_reload(b, NOW_US), RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_non_null(strstr(rulebook_complaint(b), "policy.yaml:"));
    findings = rulebook_findings(b);
    assert_true(json_array_size(findings) > 0);
    json_decref(findings);
    assert_null(rulebook_free(b));
    /* The next start, too. */
    b = open_rulebook(p, RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_LAST_GOOD);
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_null(rulebook_free(b));
}

static void test_without_any_nothing_is_permitted(void **state)
{
    struct rulebook *b = open_rulebook(*state, RULEBOOK_E_REFUSED);

    assert_int_equal(rulebook_source(b), RULEBOOK_NONE);
    assert_int_equal(rulebook_policy(b)->n_usb, 0);
    assert_int_equal(rulebook_policy(b)->mode, POLICY_ENFORCE);
    assert_int_equal(rulebook_policy(b)->media.other, POLICY_REFUSE);
    assert_null(rulebook_free(b));
}

static void test_others_may_not_write_it(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;

    write_policy(p, 7, 0664);
    b = open_rulebook(p, RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_NONE);
    assert_non_null(strstr(rulebook_complaint(b), "root"));
    assert_null(rulebook_free(b));
}

static void test_other_owner(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;

    write_policy(p, 7, 0644);
    assert_int_equal(chown(p->file, 65534, 65534), 0);
    b = open_rulebook(p, RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_NONE);
    assert_null(rulebook_free(b));
}

static void test_link_is_not_followed(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;

    assert_int_equal(symlink("/etc/hostname", p->file), 0);
    b = open_rulebook(p, RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_NONE);
    assert_null(rulebook_free(b));
}

/* A file that went bad under a running daemon is told as what it is; a good one ends that. */
static void test_the_file_stops_ruling(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;

    write_policy(p, 7, 0644);
    b = open_rulebook(p, 0);
    assert_int_equal(rulebook_source(b), RULEBOOK_FILE);
    assert_true(rulebook_is_kept(b));
    assert_int_equal(unlink(p->file), 0);
    assert_int_equal(rulebook_reload(b, NOW_US), RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_LAST_GOOD);
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_non_null(strstr(rulebook_complaint(b), "No such file"));
    write_policy(p, 8, 0666);
    assert_int_equal(rulebook_reload(b, NOW_US), RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_int_equal(chmod(p->file, 0600), 0);
    assert_int_equal(rulebook_reload(b, NOW_US), 0);
    assert_int_equal(rulebook_source(b), RULEBOOK_FILE);
    assert_int_equal(rulebook_policy(b)->version, 8);
    assert_string_equal(rulebook_complaint(b), "");
    assert_null(rulebook_free(b));
}

/* Next year's policy can lie there; it does not rule early. */
static void test_not_valid_yet(void **state)
{
    const struct place *p = *state;
    struct rulebook *b;
    FILE *f;

    write_policy(p, 7, 0644);
    b = open_rulebook(p, 0);
    write_policy(p, 8, 0644);
    f = fopen(p->file, "a");
    assert_non_null(f);
    assert_true(fputs("valid: {from: 2027-04-01T00:00:00+09:00}\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rulebook_reload(b, NOW_US), RULEBOOK_E_REFUSED);
    assert_non_null(strstr(rulebook_complaint(b), "not valid before 2027-03-31T15:00:00"));
    assert_int_equal(rulebook_policy(b)->version, 7);
    assert_int_equal(rulebook_reload(b, NOW_US + INT64_C(90) * 86400 * 1000000), 0);
    assert_int_equal(rulebook_policy(b)->version, 8);
    assert_null(rulebook_free(b));
    /* A clock without its battery: the copy of what ruled rules on. */
    new_rulebook(p, NULL, &b);
    assert_int_equal(rulebook_open(b, 1000000), RULEBOOK_E_REFUSED);
    assert_int_equal(rulebook_source(b), RULEBOOK_LAST_GOOD);
    assert_int_equal(rulebook_policy(b)->version, 8);
    assert_null(rulebook_free(b));
}

/* The file, too, is for the terminals that its scope names, and for no others. */
static void test_scope(void **state)
{
    static const struct {
        const char *scope;
        bool ours;
    } cases[] = {
        {"scope: {groups: [kazei]}", true},       {"scope: {groups: [hoken, kazei]}", true},
        {"scope: {terminals: [kazei-07]}", true}, {"scope: {groups: [hoken], terminals: [kazei-07]}", true},
        {"scope: {groups: [hoken]}", false},      {"scope: {terminals: [kazei-08]}", false},
        {"scope: {terminals: [kazei]}", false}, /* a group's name is no terminal's */
        {"scope: {groups: [kazei-07]}", false},   {"scope: {terminals: [kazei-0]}", false},
    };
    const struct place *p = *state;
    struct rulebook *b;

    write_policy(p, 1, 0644);
    b = open_rulebook(p, 0);
    assert_true(rulebook_is_in_scope(b));
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        FILE *f;

        write_policy(p, 2 + (int)i, 0644);
        f = fopen(p->file, "a");
        assert_non_null(f);
        assert_true(fprintf(f, "%s\n", cases[i].scope) > 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(rulebook_reload(b, NOW_US), cases[i].ours ? 0 : RULEBOOK_E_REFUSED);
        if (!cases[i].ours)
            assert_non_null(strstr(rulebook_complaint(b), "scope"));
    }
    assert_int_equal(rulebook_policy(b)->version, 5);
    assert_null(rulebook_free(b));
}

static bool directory_is_up;

static int find_group(void *context, const char *name, gid_t *ret)
{
    (void)context;
    if (!directory_is_up || strcmp(name, "kazei") != 0)
        return -ENOENT;
    *ret = 4711;
    return 0;
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    (void)context;
    (void)name;
    (void)ret;
    return -ENOENT;
}

/* kuraband starts long before a directory service does. */
static void test_names_that_come_later(void **state)
{
    static const struct policy_names names = {.user = find_user, .group = find_group};
    const struct place *p = *state;
    struct rulebook *b = NULL;
    FILE *f;

    write_policy(p, 7, 0644);
    f = fopen(p->file, "a");
    assert_non_null(f);
    assert_true(fputs("media:\n  rules:\n    - {id: a, match: {bus: mmc}, allow: read, who: {groups: [kazei]}}\n", f) >=
                0);
    assert_int_equal(fclose(f), 0);
    directory_is_up = false;
    new_rulebook(p, &names, &b);
    assert_int_equal(rulebook_open(b, NOW_US), 0);
    assert_true(rulebook_policy(b)->media.rules[0].who.restricted);
    assert_int_equal(rulebook_policy(b)->media.rules[0].who.n_gids, 0);
    assert_int_equal(rulebook_resolve_again(b), 0);
    directory_is_up = true;
    assert_int_equal(rulebook_resolve_again(b), 1);
    assert_int_equal(rulebook_policy(b)->media.rules[0].who.gids[0], 4711);
    assert_int_equal(rulebook_resolve_again(b), 0);
    assert_null(rulebook_free(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_file_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_any_nothing_is_permitted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_may_not_write_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_valid_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_file_stops_ruling, setup, teardown),
    };

    if (geteuid() != 0) {
        (void)printf("SKIP: needs root to give files to others\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

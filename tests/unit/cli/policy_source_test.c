/* By which document a verb explains and tests: what rules this terminal, never the unsigned file beside it. */
#include "unit/cli/run.h"

#include <jansson.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake/signed.h"
#include "policy/policy.h"

static char directory[] = "/tmp/kuraban-source-XXXXXX";
static char config[96], file[96], state_directory[96], state_file[128], marker[128], copy[128], bundle[96], cases[96];

#define UNSIGNED                                                                                                       \
    "format: kuraban-policy/1\norganization: o\nname: unsigned\nversion: 1\n"                                          \
    "usb: [{id: by-file, allow: use, match: {device: \"0781:*\"}}]\n"
#define SIGNED_RULES "usb: [{id: by-signature, allow: use, match: {device: \"0781:*\"}}]\n"

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

static struct signed_bytes make_bundle(void)
{
    return signed_bundle(NULL, 0, signed_usual_policy(5, SIGNED_RULES), NULL);
}

/* policy false: a root document alone. */
static void install(bool policy)
{
    struct trust_state *s = signed_install(signed_usual_root(3)), *next = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (policy) {
        struct signed_bytes b = make_bundle();
        struct policy *p = NULL;

        assert_int_equal(trust_apply(s, &signed_terminal, b.data, b.size, &next, &p, NULL, NULL), TRUST_OK);
        (void)policy_unref(p);
        (void)trust_state_free(s);
        s = next;
        free(b.data);
    }
    assert_int_equal(trust_state_write(s, &bytes, &size), 0);
    write_bytes(state_file, bytes, size);
    write_text(marker, "");
    free(bytes);
    (void)trust_state_free(s);
}

static struct cli_run explain(const char *policy)
{
    return policy ? RUN(config, "/nonexistent", "--json", "policy", "explain", "--device", "0781:5583", "--interface",
                        "08:06:50", "--policy", policy)
                  : RUN(config, "/nonexistent", "--json", "policy", "explain", "--device", "0781:5583", "--interface",
                        "08:06:50");
}

static void expect(const char *policy, const char *rule, const char *from)
{
    struct cli_run r = explain(policy);
    json_t *answer = json_loads(r.out, 0, NULL);

    if (r.code != CLI_OK)
        fail_msg("%s", r.err);
    assert_string_equal(json_string_value(json_object_get(answer, "rule")), rule);
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "position"), "file")), from);
    json_decref(answer);
    cli_run_done(&r);
}

static void refuse(enum cli_exit code, const char *words)
{
    struct cli_run r = explain(NULL);

    assert_int_equal(r.code, code);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, words));
    cli_run_done(&r);
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(state_file);
    (void)unlink(marker);
    (void)unlink(copy);
    return chmod(state_directory, 0755);
}

static void test_standalone(void **state)
{
    (void)state;
    expect(NULL, "by-file", file);
}

static void test_signed(void **state)
{
    (void)state;
    install(true);
    expect(NULL, "by-signature", state_file);
    expect(file, "by-file", file);
    expect(bundle, "by-signature", bundle);
}

static void test_no_policy_yet(void **state)
{
    (void)state;
    install(false);
    refuse(CLI_FAILED, "no signed policy yet");
    /* As kuraband: what ruled before rules on, and the file beside it does not. */
    write_text(copy, "format: kuraban-policy/1\norganization: o\nname: before\nversion: 1\n"
                     "usb: [{id: by-copy, allow: use, match: {device: \"0781:*\"}}]\n");
    expect(NULL, "by-copy", copy);
}

/* What says that there must be one is enough: the file does not rule. */
static void test_damaged(void **state)
{
    (void)state;
    install(true);
    assert_int_equal(unlink(state_file), 0);
    refuse(CLI_FAILED, "trust.json");
    write_text(state_file, "{}");
    refuse(CLI_FAILED, "trust.json");
    assert_int_equal(unlink(marker), 0);
    refuse(CLI_FAILED, "trust.json");
}

/* The state directory is root's; kuraband, which could say, does not answer. */
static void test_hidden(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    if (getuid() != 0) {
        skip_because("only root can become somebody else");
        return;
    }
    install(true);
    assert_int_equal(chmod(state_directory, 0700), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct cli_run r;

        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(99);
        r = explain(NULL);
        _exit(r.code == CLI_NOT_PERMITTED && strstr(r.err, "--policy") && !*r.out ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Two people test what they are about to approve. */
static void test_cases(void **state)
{
    struct cli_run r;

    (void)state;
    r = RUN(config, "/nonexistent", "policy", "test", cases, "--policy", bundle);
    assert_int_equal(r.code, CLI_OK);
    cli_run_done(&r);
    r = RUN(config, "/nonexistent", "policy", "test", cases);
    assert_int_equal(r.code, CLI_NO);
    assert_non_null(strstr(r.out, "expected by-signature, decided by-file"));
    cli_run_done(&r);
    install(true);
    r = RUN(config, "/nonexistent", "policy", "test", cases);
    assert_int_equal(r.code, CLI_OK);
    cli_run_done(&r);
}

static int setup(void **state)
{
    struct signed_bytes b = make_bundle();
    char text[512];

    (void)state;
    if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
        return -1;
    (void)snprintf(config, sizeof(config), "%s/kuraban.yaml", directory);
    (void)snprintf(file, sizeof(file), "%s/policy.yaml", directory);
    (void)snprintf(state_directory, sizeof(state_directory), "%s/state", directory);
    (void)snprintf(state_file, sizeof(state_file), "%s/trust.json", state_directory);
    (void)snprintf(marker, sizeof(marker), "%s/trust.installed", state_directory);
    (void)snprintf(copy, sizeof(copy), "%s/policy.last-good.yaml", state_directory);
    (void)snprintf(bundle, sizeof(bundle), "%s/bundle", directory);
    (void)snprintf(cases, sizeof(cases), "%s/cases.yaml", directory);
    (void)snprintf(text, sizeof(text),
                   "format: kuraban-config/1\npolicy: %s\nrun-directory: %s/run\nstate-directory: %s\n", file,
                   directory, state_directory);
    write_text(config, text);
    write_text(file, UNSIGNED);
    write_bytes(bundle, b.data, b.size);
    free(b.data);
    write_text(cases, "format: kuraban-policy-cases/1\nat: 2026-11-24T10:00:00+09:00\ncases:\n"
                      "  - name: x\n    usb: {device: \"0781:5583\", interfaces: [\"08:06:50\"]}\n"
                      "    expect: {rule: by-signature}\n");
    return mkdir(state_directory, 0755);
}

static int teardown(void **state)
{
    const char *const files[] = {config, file, bundle, cases};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)unlink(files[i]);
    return rmdir(state_directory) == 0 && rmdir(directory) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_standalone, clean),    cmocka_unit_test_teardown(test_signed, clean),
        cmocka_unit_test_teardown(test_no_policy_yet, clean), cmocka_unit_test_teardown(test_damaged, clean),
        cmocka_unit_test_teardown(test_hidden, clean),        cmocka_unit_test_teardown(test_cases, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

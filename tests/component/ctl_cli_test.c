/*
 * The real `kuraban` binary against a control socket with canned answers: exit codes, JSON, what is denied to whom, and what it
 * does when nobody answers.
 */
#include "test.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake/ctl_answers.h"
#include "fake/ctl_server.h"
#include "fake/people.h"

enum {
    WORDS_MAX = 12,
    OUTPUT_MAX = 256 * 1024,
};

struct run {
    int code;
    char out[OUTPUT_MAX]; /* standard output and standard error */
};

static struct fake_ctl server;
static char config[128], program[512];
static struct run result;

static int start(void **state)
{
    FILE *f;

    (void)state;
    if (fake_ctl_start(&server, ctl_answers, n_ctl_answers, NULL) < 0)
        return -1;
    (void)snprintf(config, sizeof(config), "%s/kuraban.yaml", server.directory);
    f = fopen(config, "w");
    if (!f || fprintf(f,
                      "format: kuraban-config/1\nrun-directory: %s\nstate-directory: %s/state\n"
                      "policy: %s/policy.yaml\nusb: off\n",
                      server.directory, server.directory, server.directory) < 0)
        return -1;
    return fclose(f) == 0 && chmod(config, 0644) == 0 ? 0 : -1;
}

static int stop(void **state)
{
    char path[128];

    (void)state;
    (void)unlink(config);
    (void)snprintf(path, sizeof(path), "%s/policy.yaml", server.directory);
    (void)unlink(path);
    return fake_ctl_stop(&server) == 0 ? 0 : -1;
}

static void read_all(int fd)
{
    size_t size = 0;
    ssize_t n;

    while (size < OUTPUT_MAX - 1 && (n = read(fd, result.out + size, OUTPUT_MAX - 1 - size)) > 0)
        size += (size_t)n;
    result.out[size] = 0;
}

/* kuraban --config … words, its output into the pipe whose other end is *ret_fd. */
static pid_t start_program(bool nobody, const char *const *words, int *ret_fd)
{
    const char *argv[WORDS_MAX + 4] = {program, "--config", config};
    int pipe_fds[2];
    pid_t pid;

    for (size_t i = 0; words[i]; i++) {
        assert_true(i < WORDS_MAX);
        argv[3 + i] = words[i];
    }
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0 || dup2(null, 0) < 0 || dup2(pipe_fds[1], 1) < 0 || dup2(pipe_fds[1], 2) < 0)
            _exit(98);
        if (nobody)
            become(NOBODY);
        execv(program, (char *const *)argv);
        _exit(97);
    }
    (void)close(pipe_fds[1]);
    *ret_fd = pipe_fds[0];
    return pid;
}

/* The rest of the output and the exit code into result. */
static void finish_program(pid_t pid, int fd)
{
    read_all(fd);
    (void)close(fd);
    result.code = exit_status_of(pid);
}

static void ask_as(bool nobody, const char *const *words)
{
    int fd = -1;
    pid_t pid = start_program(nobody, words, &fd);

    finish_program(pid, fd);
}

#define ask(...) ask_as(false, (const char *const[]){__VA_ARGS__, NULL})
#define ask_nobody(...) ask_as(true, (const char *const[]){__VA_ARGS__, NULL})

static void expect(int code, const char *part)
{
    if (result.code != code || !strstr(result.out, part))
        fail_msg("exit %d instead of %d, or no “%s” in:\n%s", result.code, code, part, result.out);
}

static json_t *json_of(void)
{
    json_t *json = json_loads(result.out, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    if (!json)
        fail_msg("no JSON: %s", result.out);
    return json;
}

/* The keys that operators' scripts use. */
static void test_contract(void **state)
{
    static const char *const keys[] = {"id", "bus", "vendor", "product", "serial", "verdict", "rule"};
    json_t *json, *policy, *gate;

    (void)state;
    ask("status", "--json");
    assert_int_equal(result.code, 0);
    json = json_of();
    policy = json_object_get(json, "policy");
    gate = json_object_get(json, "gate");
    assert_true(json_is_true(json_object_get(json, "enforcing")));
    assert_true(json_is_string(json_object_get(policy, "name")));
    assert_true(json_is_integer(json_object_get(policy, "version")));
    assert_true(json_is_integer(json_object_get(gate, "marks")));
    assert_true(json_is_integer(json_object_get(gate, "decisions")));
    assert_true(json_is_integer(json_object_get(json_object_get(json, "journal"), "sequence")));
    json_decref(json);

    ask("devices", "--json");
    assert_int_equal(result.code, 0);
    json = json_of();
    assert_true(json_is_array(json));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_true(json_is_string(json_object_get(json_array_get(json, 0), keys[i])));
    json_decref(json);
}

/* One array per line, the first at once; then the stream stays open until the server goes. */
static void test_watch(void **state)
{
    static const char *const words[] = {"devices", "--watch", "--json", NULL};
    char line[8192];
    size_t size = 0;
    json_t *json;
    int fd = -1;
    pid_t pid = start_program(false, words, &fd);

    (void)state;
    while (size < sizeof(line) - 1 && read(fd, line + size, 1) == 1 && line[size] != '\n')
        size++;
    line[size] = 0;
    json = json_loads(line, 0, NULL);
    assert_int_equal(json_array_size(json), 6);
    json_decref(json);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    assert_int_equal(fake_ctl_stop(&server), 0);
    finish_program(pid, fd);
    expect(3, "closed the connection");
}

static void test_purge_ends_the_server(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip_because("needs root to be permitted");
    ask("purge", "--yes");
    expect(0, "Nothing is guarded");
    ask("status");
    expect(3, "kuraband");
}

static void test_denied(void **state)
{
    static const char *const verbs[][3] = {{"sync"}, {"rescan"}, {"reload"}, {"policy", "show"}, {"purge", "--yes"}};

    (void)state;
    if (getuid() != 0)
        skip_because("needs root to become another user");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        ask_as(true, verbs[i]);
        expect(4, "root");
    }
    ask_nobody("emergency", "--seconds", "60", "--reason", "keyboard broken");
    expect(4, "root");
    ask_nobody("why", "--user", "0");
    expect(4, "root");
    ask_nobody("status");
    expect(0, "");
    ask_nobody("why");
    expect(0, "rule juki");
    ask_nobody("why", "--user", "65534");
    expect(0, "rule juki");
}

static void test_changes(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip_because("needs root to be permitted");
    ask("sync", "--json");
    expect(0, "812");
    ask("emergency", "--seconds", "60", "--reason", "keyboard broken");
    expect(0, "");
    ask("reload");
    expect(5, "3:7: unknown key");
    ask("purge");
    expect(2, "--yes");
}

static void test_nobody_answers(void **state)
{
    (void)state;
    assert_int_equal(fake_ctl_stop(&server), 0);
    ask("status");
    expect(3, server.directory);
    ask("status", "--json");
    expect(3, server.directory);
    ask("doctor", "--json");
    expect(1, "daemon.reachable");
}

static void write_policy(const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/policy.yaml", server.directory);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_policy_check(void **state)
{
    char path[128], line[256];
    json_t *json;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/policy.yaml", server.directory);
    write_policy(
        "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\nmode: enforce\n");
    ask("policy", "check", path);
    assert_int_equal(result.code, 0);
    write_policy(
        "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\nmoed: enforce\n");
    ask("policy", "check", path);
    (void)snprintf(line, sizeof(line), "%s:6:1: ", path);
    expect(1, line);
    ask("policy", "check", "--json", path);
    assert_int_equal(result.code, 1);
    json = json_of();
    assert_true(json_is_false(json_object_get(json, "ok")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(json, "findings"), 0), "line")),
                     6);
    json_decref(json);
    ask("policy", "check", "/nonexistent");
    expect(1, "/nonexistent:0:0: ");
    ask("policy", "check", "/dev/null");
    expect(1, "/dev/null:0:0: ");
    ask("policy", "check", server.directory);
    expect(1, ":0:0: ");
}

/* What generate writes is a policy, on whatever machine this runs. */
static void test_policy_generate(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/policy.yaml", server.directory);
    ask("policy", "generate");
    assert_int_equal(result.code, 0);
    write_policy(result.out);
    ask("policy", "check", path);
    assert_int_equal(result.code, 0);
}

static void test_policy_explain(void **state)
{
    char path[128], text[1024];

    (void)state;
    (void)snprintf(text, sizeof(text),
                   "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\n"
                   "mode: enforce\nstores:\n  - {id: here, path: %s, class: 3B, programs: [{path: %s}]}\n",
                   server.directory, "/bin/sh");
    write_policy(text);
    (void)snprintf(path, sizeof(path), "%s/policy.yaml", server.directory);
    ask("policy", "explain", "--json", "--path", path, "--program", "/bin/true");
    expect(0, "\"program\"");
    ask("policy", "explain", "--json", "--path", path, "--program", "/bin/sh");
    expect(0, "\"allow\"");
    ask("policy", "explain", "--path", "/etc/passwd", "--program", "/bin/sh");
    expect(0, "no store");
    ask("policy", "explain", "--device", "9-9");
    assert_int_equal(result.code, 5);
}

static void test_audit_without_a_journal(void **state)
{
    (void)state;
    ask("audit", "verify");
    expect(5, "state/journal");
    ask("audit", "show", "--directory", "/nonexistent");
    expect(5, "/nonexistent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contract, start, stop),
        cmocka_unit_test_setup_teardown(test_watch, start, stop),
        cmocka_unit_test_setup_teardown(test_purge_ends_the_server, start, stop),
        cmocka_unit_test_setup_teardown(test_denied, start, stop),
        cmocka_unit_test_setup_teardown(test_changes, start, stop),
        cmocka_unit_test_setup_teardown(test_nobody_answers, start, stop),
        cmocka_unit_test_setup_teardown(test_policy_check, start, stop),
        cmocka_unit_test_setup_teardown(test_policy_generate, start, stop),
        cmocka_unit_test_setup_teardown(test_policy_explain, start, stop),
        cmocka_unit_test_setup_teardown(test_audit_without_a_journal, start, stop),
    };
    const char *build = getenv("KURABAN_BUILD");

    if (!build)
        build = "build/debug";
    (void)snprintf(program, sizeof(program), "%s/bin/kuraban", build);
    if (access(program, X_OK) < 0) {
        fprintf(stderr, "%s is not built\n", program);
        return 1;
    }
    if (setenv("LC_ALL", "C.UTF-8", 1) < 0 || unsetenv("LANGUAGE") < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* policy check --present on a machine with programs that give one answer to every question of PAM. */
#include "unit/cli/bus.h"

#include <locale.h>
#include <sys/stat.h>

#include "policy/warn.h"

#define WORDS "asks once and answers every question with that"

static void write_policy(const char *mfa)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "format: kuraban-policy/1\norganization: city.example\nname: test\nversion: 1\n%s", mfa);
    cli_write_file(policy_path, text);
}

static struct cli_run check(const char *option)
{
    struct cli_run r = RUN(config_path, bus.root, "policy", "check", policy_path, option);

    if (r.code != CLI_OK)
        fail_msg("%s%s", r.out, r.err);
    return r;
}

/* A root of its own, with what is installed in either directory. */
static void install(const char *directory, const char *service)
{
    static char root[128];
    char path[512];
    size_t at = 0;

    (void)snprintf(root, sizeof(root), "%s/machine", bus.root);
    cli_run_root = root;
    (void)snprintf(path, sizeof(path), "%s%s/%s", root, directory, service);
    while (path[at += 1 + strcspn(path + at + 1, "/")] == '/') {
        path[at] = '\0';
        (void)mkdir(path, 0755);
        path[at] = '/';
    }
    cli_write_file(path, "@include common-auth\n");
}

static void expect_warnings(const char *const *services)
{
    struct cli_run r = check("--present");
    const char *name;

    for (size_t i = 0; (name = policy_answers_once(i)); i++) {
        char line[128];
        bool expected = false;

        for (size_t k = 0; services[k]; k++)
            expected |= strcmp(services[k], name) == 0;
        (void)snprintf(line, sizeof(line), "'%s' " WORDS, name);
        if ((strstr(r.out, line) != NULL) != expected)
            fail_msg("%s: %s in\n%s", name, expected ? "not" : "yet", r.out);
    }
    cli_run_done(&r);
}

static void test_every_service(void **state)
{
    struct cli_run r;

    (void)state;
    write_policy("mfa: {login: {grace: 7d}, enrol: self}\n");
    install("/etc/pam.d", "xscreensaver");
    expect_warnings((const char *const[]){NULL});
    install("/etc/pam.d", "i3lock");
    expect_warnings((const char *const[]){"i3lock", NULL});
    install("/usr/lib/pam.d", "swaylock");
    expect_warnings((const char *const[]){"i3lock", "swaylock", NULL});
    r = check(NULL); /* the file alone */
    assert_null(strstr(r.out, WORDS));
    cli_run_done(&r);
    write_policy("");
    expect_warnings((const char *const[]){NULL});
    write_policy("mfa: {login: {services: [login, sshd], grace: 7d}, enrol: self}\n");
    expect_warnings((const char *const[]){NULL});
}

/* Named: wrong on whatever machine, and said once. */
static void test_named(void **state)
{
    struct cli_run r;
    const char *first;

    (void)state;
    install("/etc/pam.d", "i3lock");
    write_policy("mfa: {login: {services: [login, i3lock], grace: 7d}, enrol: self}\n");
    r = check(NULL);
    assert_non_null(strstr(r.out, "'i3lock' " WORDS));
    cli_run_done(&r);
    r = check("--present");
    first = strstr(r.out, WORDS);
    assert_non_null(first);
    assert_null(strstr(first + 1, WORDS));
    cli_run_done(&r);
}

static int teardown(void **state)
{
    cli_run_root = NULL;
    return bus_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_service, bus_setup, teardown),
        cmocka_unit_test_setup_teardown(test_named, bus_setup, teardown),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

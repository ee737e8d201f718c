/*
 * Prepared machines, each against tests/data/bypass/<machine>/expected: what was found, where, and who need not ask. A machine may be
 * laid over another (file `base`); `sshd-T` is what its sshd would answer. KURABAN_WRITE_GOLDEN=1 writes the files.
 */
#include "test.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bypass/bypass.h"

enum {
    TEXT_MAX = 65536
};

static char stage[] = "/tmp/kuraban-bypass-XXXXXX";

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text;
    size_t n;

    if (!f)
        return NULL;
    text = calloc(1, TEXT_MAX);
    assert_non_null(text);
    n = fread(text, 1, TEXT_MAX - 1, f);
    text[n] = '\0';
    assert_int_equal(fclose(f), 0);
    return text;
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* The machine's base first, then itself over it. */
static void lay(const char *machine)
{
    char path[256];
    _cleanup_free_ char *base = NULL;

    (void)snprintf(path, sizeof(path), "%s/bypass/%s/base", KURABAN_TEST_DATA, machine);
    base = read_file(path);
    if (base) {
        base[strcspn(base, "\n")] = '\0';
        lay(base);
    }
    run("cp -R '%s/bypass/%s/.' '%s'", KURABAN_TEST_DATA, machine, stage);
}

static char *describe(const struct bypass_report *r)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    for (size_t i = 0; i < r->n_findings; i++) {
        const struct bypass_finding *a = &r->findings[i];

        (void)fprintf(f, "%s %s:%u %s%s%s%s\n", bypass_kind_name(a->kind), a->file, a->line, *a->subject ? "[" : "",
                      a->subject, *a->subject ? "] " : "", a->text);
    }
    for (size_t i = 0; i < r->n_exceptions; i++)
        (void)fprintf(f, "except %s: %s\n", r->exceptions[i].service, bypass_reason_name(r->exceptions[i].reason));
    (void)fputs("closed:", f);
    for (size_t i = 0; i < r->n_closed; i++)
        (void)fprintf(f, " %s", r->closed[i]);
    (void)fputs("\nboth:", f);
    for (size_t i = 0; i < r->n_both; i++)
        (void)fprintf(f, " %s", r->both[i].file);
    (void)fputc('\n', f);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* What is found below the stage. Caller frees. */
static char *look(const char *sshd)
{
    struct bypass_report report = {0};
    char *seen;

    assert_int_equal(bypass_look(stage, sshd, &report), 0);
    seen = describe(&report);
    bypass_report_done(&report);
    return seen;
}

static void compare(const char *machine)
{
    char path[256], effective[256];
    _cleanup_free_ char *seen = NULL, *expected = NULL, *sshd = NULL;
    FILE *f;

    run("rm -rf '%s' && mkdir '%s'", stage, stage);
    lay(machine);
    (void)snprintf(effective, sizeof(effective), "%s/bypass/%s/sshd-T", KURABAN_TEST_DATA, machine);
    sshd = read_file(effective);
    seen = look(sshd);
    (void)snprintf(path, sizeof(path), "%s/bypass/%s/expected", KURABAN_TEST_DATA, machine);
    if (getenv("KURABAN_WRITE_GOLDEN")) {
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(seen, f) >= 0);
        assert_int_equal(fclose(f), 0);
        return;
    }
    expected = read_file(path);
    if (!expected || strcmp(expected, seen) != 0)
        fail_msg("%s differs; now:\n%s", path, seen);
}

static void test_machines(void **state)
{
    struct dirent **names = NULL;
    int n = scandir(KURABAN_TEST_DATA "/bypass", &names, NULL, alphasort), machines = 0;

    (void)state;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            compare(names[i]->d_name);
            machines++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(machines >= 15);
}

/* What an administrator of the looked-at machine could leave in the way. */
static void test_hostile_files(void **state)
{
    _cleanup_free_ char *seen = NULL;

    (void)state;
    run("rm -rf '%s' && mkdir -p '%s/etc/pam.d' '%s/etc/ssh' '%s/etc/sudoers.d'", stage, stage, stage, stage);
    run("cd '%s/etc/pam.d' && mkfifo su && ln -s /etc/pam.d/login sudo && ln -s sudo-i sudo-i && mkdir sshd && printf 'auth sufficient "
        "pam_unix.so\\0\\n' > lightdm && truncate -s 2M other && ln -s ../../../../../../../../etc/passwd passwd && "
        "printf 'auth sufficient pam_unix.so\\n' > login",
        stage);
    run("cd '%s/etc/ssh' && ln -s /dev/zero sshd_config && cd ../sudoers.d && mkfifo x && ln -s /proc/self/environ y",
        stage);
    seen = look(NULL);
    for (const char *const *name = (const char *const[]){"su", "sudo-i", "sshd", "lightdm", "other", NULL}; *name;
         name++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "pam-unclear %s:0", *name);
        if (!strstr(seen, line))
            fail_msg("no “%s” in:\n%s", line, seen);
    }
    assert_non_null(strstr(seen, "pam-none /etc/pam.d/sudo:0 [sudo]")); /* the link stays inside */
    assert_non_null(strstr(seen, "unreadable /etc/sudoers.d/x:0"));
    assert_null(strstr(seen, "root:")); /* nothing of this machine's own files */
}

/* A unit that is switched off by a link to /dev/null, which is no regular file: as good as none. Anything else that is none is told. */
static void test_masked_units(void **state)
{
    _cleanup_free_ char *seen = NULL;

    (void)state;
    run("rm -rf '%s' && mkdir -p '%s/etc/systemd/system' '%s/dev'", stage, stage, stage);
    run("cd '%s' && mkfifo dev/null dev/nullx && cd etc/systemd/system && ln -s /dev/null serial-getty@ttyS0.service && "
        "ln -s /dev/nullx getty@tty2.service && mkfifo getty@tty3.service",
        stage);
    seen = look(NULL);
    assert_null(strstr(seen, "ttyS0"));
    assert_non_null(strstr(seen, "unreadable /etc/systemd/system/getty@tty2.service:0"));
    assert_non_null(strstr(seen, "unreadable /etc/systemd/system/getty@tty3.service:0"));
}

/* One file that includes itself twice, and the like, end in bounds. */
static void test_bombs(void **state)
{
    _cleanup_free_ char *seen = NULL;

    (void)state;
    run("rm -rf '%s' && mkdir -p '%s/etc/pam.d' '%s/etc/ssh'", stage, stage, stage);
    run("cd '%s/etc/pam.d' && printf '@include su\\n@include su\\n@include su\\n' > su", stage);
    run("cd '%s/etc/pam.d' && for i in $(seq 400); do printf 'auth [success=%%d auth_err=ok default=ignore] pam_x.so\\n' $((i %% 7 + 1)); "
        "done > sudo",
        stage);
    run("cd '%s/etc/ssh' && printf 'Include /etc/ssh/*\\nInclude /etc/ssh/*\\n' > sshd_config && cp sshd_config b && cp b c",
        stage);
    seen = look(NULL);
    assert_non_null(strstr(seen, "pam-unclear su:0"));
    assert_non_null(strstr(seen, "sshd-unclear /etc/ssh/sshd_config:0"));
}

static void test_no_tree(void **state)
{
    struct bypass_report report = {0};

    (void)state;
    run("rm -rf '%s' && mkdir '%s'", stage, stage);
    assert_int_equal(bypass_look(stage, NULL, &report), 0);
    assert_int_equal(report.n_findings, 0);
    bypass_report_done(&report);
    assert_int_equal(bypass_look("/nonexistent", NULL, &report), -ENOENT);
}

static int start(void **state)
{
    (void)state;
    return mkdtemp(stage) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    run("rm -rf '%s'", stage);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines), cmocka_unit_test(test_hostile_files), cmocka_unit_test(test_masked_units),
        cmocka_unit_test(test_bombs),    cmocka_unit_test(test_no_tree),
    };

    return cmocka_run_group_tests(tests, start, stop);
}

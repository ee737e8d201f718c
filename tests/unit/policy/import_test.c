/*
 * USBGuard's rules: every rule file below tests/data/usbguard gives the account and the document beside it, what is no rule gives
 * neither, and usbguard-daemon.conf is read. For changed words write what the test prints into the file, after reading it.
 * Whether the result decides as USBGuard does: tests/unit/decide/usbguard_test.c.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/import_usbguard.h"
#include "policy/usbguard_rule.h"
#include "slurp.h"

static const struct policy_import_options options = {.organization = "city.example", .name = "moved"};

static char *slurp_of(const char *name, size_t *ret_size)
{
    char path[512];

    (void)snprintf(path, sizeof(path), KURABAN_TEST_DATA "/usbguard/%s", name);
    return slurp(path, ret_size);
}

/* "LINE OUTCOME [RULE] reason…" */
static void print_account(FILE *out, const struct policy_import_account *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct policy_import_line *l = &a->lines[i];

        (void)fprintf(out, "%u %s [%s]", l->line, policy_import_outcome_name(l->outcome), l->rule);
        for (enum policy_import_reason r = 0; r < POLICY_IMPORT_REASON_COUNT_; r++)
            if (l->reasons & UINT32_C(1) << r)
                (void)fprintf(out, " %s", policy_import_reason_name(r));
        (void)fputc('\n', out);
    }
}

static struct policy *load(const struct buf *b)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    if (policy_load("imported", b->data, b->size, &findings, &p) != 0) {
        policy_findings_print(&findings, stderr, "imported", b->data, b->size);
        fail_msg("does not load:\n%.*s", (int)b->size, (const char *)b->data);
    }
    policy_findings_done(&findings);
    return p;
}

/* fail_msg() would cut it off. */
static void compare(const char *name, const char *seen, size_t seen_size, const char *expected, size_t expected_size)
{
    if (seen_size == expected_size && memcmp(seen, expected, seen_size) == 0)
        return;
    (void)fprintf(stderr, "%s gives:\n%.*s", name, (int)seen_size, seen);
    fail_msg("%s is another one", name);
}

static void check_file(const char *name, size_t rules)
{
    char account_name[64], document_name[64];
    size_t size = 0, account_size = 0, document_size = 0, seen_size = 0;
    _cleanup_free_ char *text = NULL, *account = NULL, *document = NULL, *seen = NULL;
    struct policy_import_account a = {0};
    FILE *out = open_memstream(&seen, &seen_size);
    struct buf b;

    (void)snprintf(account_name, sizeof(account_name), "%s.account", name);
    (void)snprintf(document_name, sizeof(document_name), "%s.yaml", name);
    text = slurp_of(name, &size);
    account = slurp_of(account_name, &account_size);
    document = slurp_of(document_name, &document_size);
    buf_init(&b, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_import_usbguard(&options, (const uint8_t *)text, size, &a, &b), 0);
    print_account(out, &a);
    assert_int_equal(fclose(out), 0);
    compare(account_name, seen, seen_size, account, account_size);
    compare(document_name, (const char *)b.data, b.size, document, document_size);
    assert_int_equal(a.counts[POLICY_IMPORT_CARRIED] + a.counts[POLICY_IMPORT_NOTED] + a.counts[POLICY_IMPORT_LOST],
                     rules);
    (void)policy_unref(load(&b));
    policy_import_account_done(&a);
    buf_done(&b);
}

static void test_documented(void **state)
{
    (void)state;
    check_file("documented.rules", 25);
}

static void test_edges(void **state)
{
    (void)state;
    check_file("edges.rules", 61);
}

static void test_office(void **state)
{
    (void)state;
    check_file("office.rules", 21);
}

static int import_text(const char *text, const struct policy_import_options *o, struct policy_import_account *a,
                       struct buf *b)
{
    *a = (struct policy_import_account){0};
    buf_init(b, POLICY_DOCUMENT_MAX);
    return policy_import_usbguard(o, (const uint8_t *)text, strlen(text), a, b);
}

/* USBGuard 1.1.2 refuses these two blanks, 1.1.4 takes them; its manual says nothing. */
static void test_blanks(void **state)
{
    struct policy_import_account a;
    struct buf b;

    (void)state;
    assert_int_equal(import_text(" \tblock id 1234:5678 \t\n", &options, &a, &b), 0);
    assert_int_equal(a.counts[POLICY_IMPORT_CARRIED], 1);
    policy_import_account_done(&a);
    buf_done(&b);
}

/* Alone and among good ones: no document, and the line is named. */
static void test_bad(void **state)
{
    size_t size = 0, n = 0;
    _cleanup_free_ char *text = slurp_of("bad.rules", &size);
    char *rest = text, *line;

    (void)state;
    while ((line = strsep(&rest, "\n")) && *line) {
        struct policy_import_account a;
        struct buf b;
        char all[512];

        (void)snprintf(all, sizeof(all), "allow id 1234:5678\n%s\nblock\n", line);
        if (import_text(all, &options, &a, &b) != POLICY_IMPORT_E_INVALID)
            fail_msg("is taken for a rule: %s", line);
        assert_int_equal(b.size, 0);
        assert_int_equal(a.lines[1].line, 2);
        assert_int_equal(a.lines[1].outcome, POLICY_IMPORT_INVALID);
        assert_true(a.lines[1].column >= 1 && a.lines[1].column <= strlen(line) + 1);
        assert_int_equal(a.counts[POLICY_IMPORT_INVALID], 1);
        policy_import_account_done(&a);
        buf_done(&b);
        n++;
    }
    assert_int_equal(n, 51);
}

static void check_configuration(const char *configuration, int result, const char *expected)
{
    struct policy_import_options o = options;
    struct policy_import_account a;
    char *seen = NULL;
    size_t seen_size = 0;
    FILE *out = open_memstream(&seen, &seen_size);
    struct buf b;

    o.configuration = (const uint8_t *)configuration;
    o.configuration_size = strlen(configuration);
    assert_int_equal(import_text("block id 1234:5678", &o, &a, &b), result);
    print_account(out, &a);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(seen, expected);
    if (result == 0)
        (void)policy_unref(load(&b));
    free(seen);
    policy_import_account_done(&a);
    buf_done(&b);
}

#define RULE "1 carried [usbguard-1]\n"

static void test_configuration(void **state)
{
    (void)state;
    check_configuration("", 0, RULE "0 noted [] implicit-unsaid\n");
    check_configuration(
        "# ImplicitPolicyTarget=allow\nRuleFile=/etc/usbguard/rules.conf\nImplicitPolicyTarget = block\r\n", 0,
        RULE "0 noted [] implicit-block\n");
    check_configuration("ImplicitPolicyTarget=reject\nPresentDevicePolicy=apply-policy", 0,
                        RULE "0 noted [] implicit-reject\n");
    check_configuration("ImplicitPolicyTarget=allow\nPresentDevicePolicy=keep\nInsertedDevicePolicy=apply-policy", 0,
                        RULE "2 lost [] present\n0 noted [] implicit-allow\n0 noted [] use\n");
    /* As Debian ships it; and what a rule in the folder might block is not permitted without it. */
    check_configuration("RuleFolder=/etc/usbguard/rules.d/\nImplicitPolicyTarget=block\n", 0,
                        RULE "1 noted [] folder\n0 noted [] implicit-block\n");
    check_configuration("ImplicitPolicyTarget=allow\nRuleFolder = /etc/usbguard/rules.d\n", 0,
                        RULE "2 lost [] folder-allow\n0 noted [] implicit-block\n");
    check_configuration("RuleFolder=\nImplicitPolicyTarget=reject\n", 0, RULE "0 noted [] implicit-reject\n");
    check_configuration("ImplicitPolicyTarget=perhaps\n", POLICY_IMPORT_E_INVALID,
                        RULE "1 invalid [] configuration\n0 noted [] implicit-unsaid\n");
    check_configuration("\nInsertedDevicePolicy=block\n", POLICY_IMPORT_E_INVALID,
                        RULE "2 invalid [] inserted\n0 noted [] implicit-unsaid\n");
}

/* The last target is the implicit one: everything that no rule matched. */
static void test_implicit_rule(void **state)
{
    struct policy_import_options o = options;
    struct policy_import_account a;
    struct policy *p;
    struct buf b;

    (void)state;
    o.configuration = (const uint8_t *)"ImplicitPolicyTarget=reject";
    o.configuration_size = strlen("ImplicitPolicyTarget=reject");
    assert_int_equal(import_text("allow id 1234:5678\n", &o, &a, &b), 0);
    p = load(&b);
    assert_int_equal(p->n_usb, 2);
    assert_string_equal(p->usb[1].id, "usbguard-implicit");
    assert_true(p->usb[1].remove);
    assert_int_equal(p->usb[1].allow, POLICY_REFUSE);
    (void)policy_unref(p);
    policy_import_account_done(&a);
    buf_done(&b);
}

static void test_limits(void **state)
{
    _cleanup_free_ char *big = malloc(POLICY_IMPORT_MAX + 2);
    struct policy_import_account a;
    struct buf b;

    (void)state;
    assert_non_null(big);
    memset(big, '#', POLICY_IMPORT_MAX + 1);
    big[POLICY_IMPORT_MAX + 1] = 0;
    assert_int_equal(import_text(big, &options, &a, &b), -EFBIG);
    policy_import_account_done(&a);
    /* One line more than is read; what is no rule takes no room in the document, so that this limit is the first met. */
    for (size_t i = 0; i < POLICY_IMPORT_MAX; i++)
        big[i] = "x\n"[i % 2];
    big[2 * (POLICY_IMPORT_LINES_MAX + 1)] = 0;
    assert_int_equal(import_text(big, &options, &a, &b), -EFBIG);
    assert_int_equal(a.counts[POLICY_IMPORT_INVALID], POLICY_IMPORT_LINES_MAX);
    policy_import_account_done(&a);
    big[2 * POLICY_IMPORT_LINES_MAX] = 0;
    assert_int_equal(import_text(big, &options, &a, &b), POLICY_IMPORT_E_INVALID);
    policy_import_account_done(&a);
    for (size_t i = 0; i < POLICY_IMPORT_MAX; i++)
        big[i] = "block\n"[i % 6];
    big[6 * POLICY_IMPORT_LINES_MAX] = 0; /* read, but more than a policy holds */
    assert_int_equal(import_text(big, &options, &a, &b), -ENOBUFS);
    assert_int_equal(b.size, 0);
    policy_import_account_done(&a);
    memset(big, 'x', (USBGUARD_LINE_MAX + 1));
    memcpy(big, "allow name \"", 12);
    big[USBGUARD_LINE_MAX] = '"';
    big[(USBGUARD_LINE_MAX + 1)] = 0;
    assert_int_equal(import_text(big, &options, &a, &b), POLICY_IMPORT_E_INVALID);
    policy_import_account_done(&a);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented),    cmocka_unit_test(test_edges),  cmocka_unit_test(test_office),
        cmocka_unit_test(test_bad),           cmocka_unit_test(test_blanks), cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_implicit_rule), cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Second factors of other verifiers: what is carried over, what is not, and what is no such file. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import_factor.h"

/* 2026-11-23 */
static const int64_t now = INT64_C(1795392000) * 1000000;

static struct import_account account;

static int google(const char *text)
{
    import_account_wipe(&account);
    return import_google(text, strlen(text), now, &account);
}

static int oath(const char *text)
{
    import_account_wipe(&account);
    return import_oath(text, strlen(text), &account);
}

static void expect_line(size_t i, unsigned line, enum import_outcome outcome, const char *user)
{
    assert_true(i < account.n_lines);
    assert_int_equal(account.lines[i].line, line);
    assert_string_equal(import_outcome_name(account.lines[i].outcome), import_outcome_name(outcome));
    assert_string_equal(account.lines[i].user, user);
}

#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" /* "12345678901234567890", RFC 6238 */

static void test_google(void **state)
{
    (void)state;
    assert_int_equal(google(SECRET
                            "\n\" RATE_LIMIT 3 30 1763856000\n\" WINDOW_SIZE 17\n\" DISALLOW_REUSE 59846398 59846399\n"
                            "\" TOTP_AUTH\n12345678\n87654321\n"),
                     0);
    assert_int_equal(account.n_credentials, 1);
    assert_string_equal(account.credentials[0].base32, SECRET);
    assert_int_equal(account.credentials[0].settings.period, 30);
    assert_int_equal(account.credentials[0].settings.digits, 6);
    assert_int_equal(account.credentials[0].step, 59846399);
    assert_int_equal(account.n_lines, 6);
    expect_line(0, 1, IMPORT_CARRIED, "");
    expect_line(1, 2, IMPORT_BY_POLICY, "");
    expect_line(2, 3, IMPORT_BY_POLICY, "");
    expect_line(3, 4, IMPORT_BY_POLICY, "");
    expect_line(4, 6, IMPORT_SCRATCH, "");
    expect_line(5, 7, IMPORT_SCRATCH, "");
}

/* As google-authenticator writes it by default: 26 characters, 128 bits with 2 left over. */
static void test_google_128_bits(void **state)
{
    (void)state;
    assert_int_equal(
        google("GEZDGNBVGY3TQOJQGEZDGNBVGY\n\" TOTP_AUTH\n\" STEP_SIZE 60\n\" TIME_SKEW -2\n\" NEWER thing\n"), 0);
    assert_int_equal(account.n_credentials, 1);
    assert_int_equal(account.credentials[0].settings.period, 60);
    assert_int_equal(account.credentials[0].step, 0);
    expect_line(1, 4, IMPORT_SKEW, "");
    expect_line(2, 5, IMPORT_OPTION, "");
}

/* A step that lies ahead would refuse every code until then. */
static void test_google_future_step(void **state)
{
    (void)state;
    assert_int_equal(google(SECRET "\n\" TOTP_AUTH\n\" DISALLOW_REUSE 99999999999\n"), 0);
    assert_int_equal(account.credentials[0].step, 0);
}

static void test_google_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        enum import_outcome outcome;
    } cases[] = {
        {"", 1, IMPORT_KIND},
        {"\n", 1, IMPORT_SECRET},
        {SECRET "\n", 1, IMPORT_KIND},
        {SECRET "\n\" HOTP_COUNTER 5\n", 2, IMPORT_COUNTER},
        {"GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n", 1, IMPORT_SECRET}, /* 80 bits */
        {"not base32!\n\" TOTP_AUTH\n", 1, IMPORT_SECRET},
        {SECRET "\n\" TOTP_AUTH\n\" STEP_SIZE 1\n", 3, IMPORT_SETTINGS},
        {SECRET "\n\" TOTP_AUTH\n\" STEP_SIZE\n", 3, IMPORT_SETTINGS},
        {SECRET "\n\" TOTP_AUTH\nsomething else\n", 3, IMPORT_UNCLEAR},
        {"root:$6$abc:19000::::::\nbin:*:19000::::::\n", 1, IMPORT_SECRET},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t lost = 0;

        assert_int_equal(google(cases[i].text), 0);
        assert_int_equal(account.n_credentials, 0);
        assert_true(account.n_lines > 0);
        for (size_t k = 0; k < account.n_lines; k++)
            if (import_is_lost(account.lines[k].outcome)) {
                lost++;
                if (account.lines[k].line != cases[i].line || account.lines[k].outcome != cases[i].outcome)
                    fail_msg("case %zu: line %u, %s", i, account.lines[k].line,
                             import_outcome_name(account.lines[k].outcome));
            }
        if (lost == 0)
            fail_msg("case %zu: nothing says why", i);
    }
}

static void test_oath(void **state)
{
    (void)state;
    assert_int_equal(
        oath("# users of this machine\n\n"
             "HOTP/T30 tanaka - 3132333435363738393031323334353637383930\n"
             "HOTP/T30/8\tsuzuki\tgeheim\t3132333435363738393031323334353637383930\t0\t12345678\t2026-11-22T10:00:00L\n"
             "HOTP/T60 sato - 31323334353637383930313233343536373839\n"
             "HOTP mori - 3132333435363738393031323334353637383930 5 123456 2026-11-22T10:00:00L\n"
             "HOTP/E/6 ono - 3132333435363738393031323334353637383930\n"
             "HOTP/T30 tanaka - ffffffffffffffffffffffffffffffffffffffff\n"
             "HOTP/T30 kurz - 00112233\n"
             "HOTP/T30 odd - 313233343536373839303132333435363738393\n"
             "HOTP/T30/5 digits - 3132333435363738393031323334353637383930\n"
             "HOTP/T5 period - 3132333435363738393031323334353637383930\n"
             "HOTP/Tx what - 3132333435363738393031323334353637383930\n"
             "root:$6$salt$hash:19000:0:99999:7:::\n"),
        0);
    assert_int_equal(account.n_credentials, 3);
    assert_string_equal(account.credentials[0].user, "tanaka");
    assert_string_equal(account.credentials[0].base32, SECRET);
    assert_int_equal(account.credentials[1].settings.digits, 8);
    assert_int_equal(account.credentials[2].settings.period, 60);
    expect_line(0, 3, IMPORT_CARRIED, "tanaka");
    expect_line(1, 4, IMPORT_CARRIED, "suzuki");
    expect_line(2, 4, IMPORT_PIN, "suzuki");
    expect_line(3, 5, IMPORT_CARRIED, "sato");
    expect_line(4, 6, IMPORT_COUNTER, "mori");
    expect_line(5, 7, IMPORT_COUNTER, "ono");
    expect_line(6, 8, IMPORT_TWICE, "tanaka");
    expect_line(7, 9, IMPORT_SECRET, "kurz");
    expect_line(8, 10, IMPORT_SECRET, "odd");
    expect_line(9, 11, IMPORT_SETTINGS, "digits");
    expect_line(10, 12, IMPORT_SETTINGS, "period");
    expect_line(11, 13, IMPORT_UNCLEAR, ""); /* nothing of it is repeated */
    expect_line(12, 14, IMPORT_UNCLEAR, "");
    assert_int_equal(account.n_lines, 13);
}

static void test_bounds(void **state)
{
    char *long_text = malloc(IMPORT_FILE_MAX + 1);
    size_t n = 0;

    (void)state;
    assert_non_null(long_text);
    memset(long_text, 'x', IMPORT_FILE_MAX + 1);
    import_account_wipe(&account);
    assert_int_equal(import_oath(long_text, IMPORT_FILE_MAX + 1, &account), -EFBIG);
    assert_int_equal(import_google(long_text, IMPORT_FILE_MAX + 1, now, &account), -EFBIG);
    assert_int_equal(import_oath(long_text, IMPORT_FILE_MAX, &account), 0); /* one long line */
    expect_line(0, 1, IMPORT_UNCLEAR, "");
    import_account_wipe(&account);
    assert_int_equal(import_google(long_text, IMPORT_FILE_MAX, now, &account), 0);
    expect_line(0, 1, IMPORT_SECRET, "");
    import_account_wipe(&account);
    long_text[5] = '\0';
    assert_int_equal(import_oath(long_text, 10, &account), -EBADMSG);
    assert_int_equal(import_google(long_text, 10, now, &account), -EBADMSG);
    while (n + 2 <= IMPORT_FILE_MAX) {
        long_text[n++] = 'x';
        long_text[n++] = '\n';
    }
    assert_int_equal(import_oath(long_text, n, &account), -EFBIG); /* too many lines */
    free(long_text);
}

static int wipe(void **state)
{
    (void)state;
    import_account_wipe(&account);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_google),
        cmocka_unit_test(test_google_128_bits),
        cmocka_unit_test(test_google_future_step),
        cmocka_unit_test(test_google_refused),
        cmocka_unit_test(test_oath),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, wipe);
}

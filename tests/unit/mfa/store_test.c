/* The store: what is on disk, what is refused, and how people come into it. */
#include "unit/mfa/fixture.h"

#include <sqlite3.h>

/* With the verifier closed: SQL as somebody with root's rights may run it. */
static void change(struct fixture *f, const char *sql)
{
    char path[256];
    sqlite3 *db = NULL;

    f->mfa = mfa_free(f->mfa);
    (void)snprintf(path, sizeof(path), "%s/mfa.db", f->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    reopen(f);
}

/* --- what is on disk --- */

static void test_files(void **state)
{
    static const char *const names[] = {"mfa.db", "mfa.db-journal", "mfa.installed", "mfa.key"};
    struct fixture *f = *state;
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size = 0;
    struct stat st;

    assert_false(exists(f, "mfa.key"));
    enrol(f, TANAKA, "tanaka");
    assert_int_equal(totp_base32_read(f->base32, secret, &size), 0);
    f->mfa = mfa_free(f->mfa);
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        assert_int_equal(fstatat(f->fd, names[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_false(holds(f, names[i], secret, size));
        assert_false(holds(f, names[i], f->base32, strlen(f->base32)));
        assert_false(holds(f, names[i], f->recovery.codes[0], 14));
    }
    assert_true(holds(f, "mfa.db", "tanaka", 6)); /* the search finds */
}

static void test_restart(void **state)
{
    struct fixture *f = *state;
    struct mfa_credential c;

    enrol(f, TANAKA, "tanaka");
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    assert_int_equal(mfa_find(f->mfa, TANAKA, &f->now, &c), 0);
    assert_int_equal(c.failures, 1);
    assert_int_equal(c.record, 1);
    assert_int_equal(c.used_us, f->now.wall_us);
    assert_string_equal(c.name, "tanaka");
}

static void test_record_numbers(void **state)
{
    struct fixture *f = *state;
    struct mfa_credential c;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(mfa_remove(f->mfa, TANAKA), 0);
    assert_int_equal(mfa_remove(f->mfa, TANAKA), MFA_E_UNKNOWN);
    bring(f, TANAKA, "tanaka");
    assert_int_equal(mfa_find(f->mfa, TANAKA, &f->now, &c), 0);
    assert_int_equal(c.record, 2);
}

/* CVE-2013-7322: one person's attempt changes nothing of another's. */
static void test_others_untouched(void **state)
{
    struct fixture *f = *state;
    struct mfa_credential *list = NULL;
    size_t n = 0;

    for (uid_t uid = 1010; uid > 1000; uid--)
        bring(f, uid, "somebody");
    bring(f, 999, "other");
    assert_int_equal(verify(f, "000", NULL), MFA_WRONG);
    assert_int_equal(mfa_list(f->mfa, &f->now, &list, &n), 0);
    assert_int_equal(n, 11);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(list[i].uid, i == 0 ? 999 : 1000 + i);
        assert_int_equal(list[i].failures, list[i].uid == TANAKA);
    }
    free(list);
}

/* --- refused --- */

static void test_missing(void **state)
{
    struct fixture *f = *state;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(renameat(f->fd, "mfa.db", f->fd, "aside"), 0);
    /* Also while it is open: what would be counted there nobody would find again. */
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_UNAVAILABLE);
    assert_unavailable(f, MFA_DAMAGED);
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_int_equal(renameat(f->fd, "aside", f->fd, "mfa.db"), 0);
    pass(f, 2);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_string_equal(mfa_complaint(f->mfa), "");
    /* The mark alone is not the store: without it everything is as it was. */
    assert_int_equal(unlinkat(f->fd, "mfa.installed", 0), 0);
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    assert_true(exists(f, "mfa.installed"));
}

static void test_foreign_files(void **state)
{
    struct fixture *f = *state;
    int fd;

    bring(f, TANAKA, "tanaka");
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(fchmodat(f->fd, "mfa.db", 0640, 0), 0);
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_int_equal(fchmodat(f->fd, "mfa.db", 0600, 0), 0);
    assert_int_equal(linkat(f->fd, "mfa.db", f->fd, "second", 0), 0);
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_int_equal(unlinkat(f->fd, "second", 0), 0);
    assert_int_equal(renameat(f->fd, "mfa.db", f->fd, "aside"), 0);
    assert_int_equal(symlinkat("aside", f->fd, "mfa.db"), 0);
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_int_equal(unlinkat(f->fd, "mfa.db", 0), 0);
    fd = openat(f->fd, "mfa.db", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "not a database at all, but long enough", 38), 38);
    close_fd(fd);
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
}

/* A journal that leads elsewhere is not followed. */
static void test_journal_link(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    bring(f, TANAKA, "tanaka");
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(unlinkat(f->fd, "mfa.db-journal", 0), 0);
    assert_int_equal(symlinkat("elsewhere", f->fd, "mfa.db-journal"), 0);
    reopen(f);
    assert_int_not_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_int_equal(fstatat(f->fd, "elsewhere", &st, 0), -1);
}

static void test_values(void **state)
{
    static const char *const damage[] = {
        "UPDATE credential SET step = -1",
        "UPDATE credential SET failures = -3",
        "UPDATE credential SET period = 0",
        "UPDATE credential SET secret = zeroblob(200)",
        "UPDATE credential SET nonce = x'00'",
        "UPDATE credential SET name = printf('%.*c', 200, 'x')",
        "UPDATE credential SET digits = 60",
        "DELETE FROM store",
        "DROP TABLE credential",
        "PRAGMA application_id = 7",
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(damage); i++) {
        void *own = NULL;
        struct fixture *f;

        (void)setup(&own);
        f = own;
        bring(f, TANAKA, "tanaka");
        change(f, damage[i]);
        assert_unavailable(f, MFA_DAMAGED);
        (void)teardown(&own);
    }
}

static void test_later_version(void **state)
{
    struct fixture *f = *state;

    bring(f, TANAKA, "tanaka");
    change(f, "PRAGMA user_version = 3");
    assert_unavailable(f, MFA_CLOSED);
}

static void test_busy(void **state)
{
    struct fixture *f = *state;
    struct mfa *second = NULL;
    struct mfa_result r;
    char path[256];
    sqlite3 *db = NULL;

    bring(f, TANAKA, "tanaka");
    f->mfa = mfa_free(f->mfa);
    (void)snprintf(path, sizeof(path), "%s/mfa.db", f->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(mfa_open(&f->options, &second), 0);
    mfa_verify(second, TANAKA, code_at(f, 0), &f->now, &r);
    assert_int_equal(r.outcome, MFA_UNAVAILABLE);
    (void)mfa_free(second);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

/* A secret is bound to its record, person and settings. */
static void test_moved_secret(void **state)
{
    static const char *const moves[] = {
        "UPDATE credential SET uid = 1002 WHERE uid = 1001",
        "UPDATE credential SET record = 77 WHERE uid = 1001",
        "UPDATE credential SET period = 60 WHERE uid = 1001",
        "UPDATE credential SET (secret, nonce) = (SELECT secret, nonce FROM credential WHERE uid = 999) WHERE uid = 1001",
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(moves); i++) {
        void *own = NULL;
        struct fixture *f;
        struct mfa_result r;

        (void)setup(&own);
        f = own;
        bring(f, 999, "other");
        bring(f, TANAKA, "tanaka");
        change(f, moves[i]);
        assert_true(strlen(mfa_complaint(f->mfa)) > 0);
        mfa_verify(f->mfa, i == 0 ? SUZUKI : TANAKA, code_at(f, 0), &f->now, &r);
        assert_int_equal(r.outcome, MFA_UNAVAILABLE);
        (void)teardown(&own);
    }
}

/* --- enrolment --- */

static void test_enrol_refused(void **state)
{
    static const char *const names[] = {"", "a:b", "a\nb", "\xff",
                                        "01234567890123456789012345678901234567890123456789012345678901234"};
    struct totp_settings settings = {TOTP_SHA1, 5, 30};
    struct fixture *f = *state;
    struct mfa_offer offer;
    int minutes = 0;

    for (size_t i = 0; i < ELEMENTS(names); i++)
        assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, names[i], "x", NULL, &f->now, &offer), MFA_E_NAME);
    assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, "a", "x", &settings, &f->now, &offer), MFA_E_SETTINGS);
    assert_int_equal(mfa_enrol_confirm(f->mfa, TANAKA, "1", "2", &f->now, &f->recovery, &minutes), MFA_E_NOT_BEGUN);
    assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, "a", "x", NULL, &f->now, &offer), 0);
    (void)strcpy(f->base32, offer.base32);
    for (int i = 0; i < MFA_PENDING_TRIES; i++)
        assert_int_equal(
            mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, 0), code_at(f, 0), &f->now, &f->recovery, &minutes),
            i + 1 < MFA_PENDING_TRIES ? MFA_E_CODES : MFA_E_TOO_MANY);
    assert_int_equal(mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, -1), code_at(f, 0), &f->now, &f->recovery, &minutes),
                     MFA_E_NOT_BEGUN);
    assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, "a", "x", NULL, &f->now, &offer), 0);
    (void)strcpy(f->base32, offer.base32);
    pass(f, MFA_PENDING_S + 1);
    assert_int_equal(mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, -1), code_at(f, 0), &f->now, &f->recovery, &minutes),
                     MFA_E_NOT_BEGUN);
    for (uid_t uid = 1; uid <= 17; uid++)
        assert_int_equal(mfa_enrol_begin(f->mfa, uid, "a", "x", NULL, &f->now, &offer), uid < 17 ? 0 : MFA_E_TOO_MANY);
    assert_int_equal(mfa_enrol_begin(f->mfa, 5, "a", "x", NULL, &f->now, &offer), 0);
    mfa_offer_wipe(&offer);
}

static void test_enrol_skew(void **state)
{
    struct fixture *f = *state;
    struct mfa_offer offer;
    int minutes = 0;

    assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, "a", "x", NULL, &f->now, &offer), 0);
    (void)strcpy(f->base32, offer.base32);
    assert_int_equal(
        mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, -13), code_at(f, -12), &f->now, &f->recovery, &minutes),
        MFA_E_SKEW);
    assert_int_equal(minutes, -6);
    assert_int_equal(mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, 1), code_at(f, 2), &f->now, &f->recovery, &minutes),
                     MFA_E_SKEW);
    assert_int_equal(minutes, 1);
    assert_int_equal(mfa_enrol_confirm(f->mfa, TANAKA, code_at(f, 0), code_at(f, 1), &f->now, &f->recovery, &minutes),
                     0);
}

static void test_algorithms(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 6; i++) {
        struct totp_settings s = {(enum totp_algorithm)(i % 3), 6 + i % 3, i < 3 ? 30 : 60};
        struct mfa_offer offer;
        char first[TOTP_CODE_SIZE];
        struct mfa_result r;
        int minutes = 0;

        assert_int_equal(mfa_enrol_begin(f->mfa, i, "a", "x", &s, &f->now, &offer), 0);
        assert_int_equal(strlen(offer.base32), s.algorithm == TOTP_SHA1 ? 32 : s.algorithm == TOTP_SHA256 ? 52 : 103);
        (void)strcpy(first, code_of(f, offer.base32, &s, -1));
        assert_int_equal(
            mfa_enrol_confirm(f->mfa, i, first, code_of(f, offer.base32, &s, 0), &f->now, &f->recovery, &minutes), 0);
        pass(f, s.period);
        mfa_verify(f->mfa, i, code_of(f, offer.base32, &s, 0), &f->now, &r);
        assert_int_equal(r.outcome, MFA_ACCEPTED);
    }
}

static void test_import(void **state)
{
    static const char base32[] = "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ";
    struct fixture *f = *state;
    struct mfa_recovery recovery;
    uint64_t step = totp_step(&totp_default, f->now.wall_us);
    struct mfa_credential c;

    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", "GEZD", &totp_default, 0, &f->now, NULL), MFA_E_SECRET);
    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", "!", &totp_default, 0, &f->now, NULL), MFA_E_SECRET);
    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", base32, &totp_default, UINT64_MAX, &f->now, NULL),
                     MFA_E_SETTINGS);
    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", base32, &totp_default, 0, &f->now, NULL), 0);
    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", base32, &totp_default, 0, &f->now, NULL), MFA_E_ENROLLED);
    (void)strcpy(f->base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    assert_int_equal(verify(f, code_at(f, 1), NULL), MFA_ACCEPTED);
    assert_int_equal(mfa_find(f->mfa, TANAKA, &f->now, &c), 0);
    assert_true(c.imported);
    assert_int_equal(c.recovery_left, 0);
    assert_int_equal(mfa_remove(f->mfa, TANAKA), 0);
    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", base32, &totp_default, step - 1, &f->now, &recovery), 0);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_int_equal(verify(f, recovery.codes[9], NULL), MFA_ACCEPTED);
}

/* One authenticator for two people: a code would open twice, and its owner approve their own request. */
static void test_import_shared(void **state)
{
    static const char base32[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const struct totp_settings other = {.algorithm = TOTP_SHA1, .digits = 8, .period = 60};
    struct fixture *f = *state;

    assert_int_equal(mfa_import(f->mfa, TANAKA, "tanaka", base32, &totp_default, 0, &f->now, NULL), 0);
    assert_int_equal(mfa_import(f->mfa, SUZUKI, "suzuki", base32, &totp_default, 0, &f->now, NULL), MFA_E_SHARED);
    assert_int_equal(mfa_import(f->mfa, SUZUKI, "suzuki", base32, &other, 0, &f->now, NULL), MFA_E_SHARED);
    /* HMAC takes it for the same with five zero bytes behind it. */
    assert_int_equal(mfa_import(f->mfa, SUZUKI, "suzuki", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQAAAAAAAA", &totp_default, 0,
                                &f->now, NULL),
                     MFA_E_SHARED);
    assert_int_equal(
        mfa_import(f->mfa, SUZUKI, "suzuki", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR", &totp_default, 0, &f->now, NULL), 0);
    assert_int_equal(mfa_remove(f->mfa, TANAKA), 0);
    assert_int_equal(mfa_remove(f->mfa, SUZUKI), 0);
    assert_int_equal(mfa_import(f->mfa, SUZUKI, "suzuki", base32, &totp_default, 0, &f->now, NULL), 0);
    assert_string_equal(mfa_error_name(MFA_E_SHARED), "shared");
}

static int no_random(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 0, size);
    return -EIO;
}

static void test_no_randomness(void **state)
{
    static const struct mfa_ops ops = {.random = no_random, .unsynced = true};
    struct fixture *f = *state;
    struct mfa_offer offer;

    f->options.ops = &ops;
    reopen(f);
    assert_true(mfa_enrol_begin(f->mfa, TANAKA, "a", "x", NULL, &f->now, &offer) != 0);
    assert_int_not_equal(
        mfa_import(f->mfa, TANAKA, "a", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", &totp_default, 0, &f->now, NULL), 0);
    assert_int_equal(verify(f, "123456", NULL), MFA_NOT_ENROLLED);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_files),
        CASE(test_restart),
        CASE(test_record_numbers),
        CASE(test_others_untouched),
        CASE(test_missing),
        CASE(test_foreign_files),
        CASE(test_journal_link),
        cmocka_unit_test(test_values),
        CASE(test_later_version),
        CASE(test_busy),
        cmocka_unit_test(test_moved_secret),
        CASE(test_enrol_refused),
        CASE(test_enrol_skew),
        CASE(test_algorithms),
        CASE(test_import),
        CASE(test_import_shared),
        CASE(test_no_randomness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

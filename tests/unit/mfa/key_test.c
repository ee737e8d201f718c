/* The key of the secrets: a file or a systemd credential, its change, and what a change that was cut short leaves. */
#include "unit/mfa/fixture.h"

static void test_rotation(void **state)
{
    struct fixture *f = *state;
    uint8_t *before = NULL, *after = NULL;
    size_t n = 0;

    assert_int_equal(mfa_rotate(f->mfa), 0); /* nothing there yet */
    bring(f, TANAKA, "tanaka");
    assert_int_equal(mfa_key_source(f->mfa), MFA_KEY_FILE);
    assert_int_equal(files_read_at(f->fd, "mfa.key", 64, &before, &n), 0);
    assert_int_equal(mfa_rotate(f->mfa), 0);
    assert_int_equal(files_read_at(f->fd, "mfa.key", 64, &after, &n), 0);
    assert_int_equal(n, MFA_KEY_SIZE);
    assert_memory_not_equal(before, after, MFA_KEY_SIZE);
    assert_false(exists(f, "mfa.key.next"));
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    reopen(f);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    /* The old key opens nothing any more. */
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(files_write_atomic_at(f->fd, "mfa.key", before, n, 0600), 0);
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
    free(before);
    free(after);
}

/* Cut short before the transaction, and between it and the renaming. */
static void test_rotation_cut_short(void **state)
{
    struct fixture *f = *state;
    uint8_t *old = NULL, *now = NULL;
    size_t n = 0;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(files_read_at(f->fd, "mfa.key", 64, &old, &n), 0);
    f->mfa = mfa_free(f->mfa);
    put_key(f->path, "mfa.key.next", 7, MFA_KEY_SIZE);
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    assert_false(exists(f, "mfa.key.next"));
    assert_int_equal(mfa_rotate(f->mfa), 0);
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(files_read_at(f->fd, "mfa.key", 64, &now, &n), 0);
    assert_int_equal(renameat(f->fd, "mfa.key", f->fd, "mfa.key.next"), 0);
    assert_int_equal(files_write_atomic_at(f->fd, "mfa.key", old, n, 0600), 0);
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_false(exists(f, "mfa.key.next"));
    assert_true(holds(f, "mfa.key", now, n));
    free(old);
    free(now);
}

static void make_credentials(struct fixture *f, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/credentials-XXXXXX", "/tmp");
    assert_non_null(mkdtemp(path));
    f->options.credentials = path;
}

static void remove_credentials(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    remove_all(fd);
    close_fd(fd);
    assert_int_equal(rmdir(path), 0);
}

/* No file holds the key, and who was enrolled still is. */
static void assert_by_credential(struct fixture *f)
{
    assert_int_equal(mfa_key_source(f->mfa), MFA_KEY_CREDENTIAL);
    assert_false(exists(f, "mfa.key"));
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

static void test_credential(void **state)
{
    struct fixture *f = *state;
    char path[64];

    make_credentials(f, path, sizeof(path));
    put_key(path, "mfa-key", 1, MFA_KEY_SIZE);
    reopen(f);
    bring(f, TANAKA, "tanaka");
    assert_int_equal(mfa_key_source(f->mfa), MFA_KEY_CREDENTIAL);
    assert_false(exists(f, "mfa.key"));
    assert_int_equal(mfa_rotate(f->mfa), MFA_E_SETTINGS);
    f->options.credentials = NULL;
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_UNAVAILABLE);
    f->options.credentials = path;
    put_key(path, "mfa-key", 1, MFA_KEY_SIZE - 1);
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
    /* Another key, with the old one beside it; then without. */
    put_key(path, "mfa-key", 2, MFA_KEY_SIZE);
    put_key(path, "mfa-key-old", 1, MFA_KEY_SIZE);
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    put_key(path, "mfa-key-old", 9, MFA_KEY_SIZE);
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    remove_credentials(path);
}

/* A malformed credential is no reason to make a key of our own. */
static void test_credential_malformed(void **state)
{
    struct fixture *f = *state;
    struct mfa_offer offer;
    char path[64];

    make_credentials(f, path, sizeof(path));
    put_key(path, "mfa-key", 1, 5);
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_NO_KEY);
    assert_int_equal(mfa_enrol_begin(f->mfa, TANAKA, "tanaka", "x", NULL, &f->now, &offer), MFA_E_UNAVAILABLE);
    remove_credentials(path);
}

static void test_file_to_credential(void **state)
{
    struct fixture *f = *state;
    char path[64];

    bring(f, TANAKA, "tanaka");
    assert_true(exists(f, "mfa.key"));
    make_credentials(f, path, sizeof(path));
    put_key(path, "mfa-key", 3, MFA_KEY_SIZE);
    reopen(f);
    assert_by_credential(f);
    remove_credentials(path);
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
}

/* The key of the file itself, sealed: the file has to go all the same. */
static void test_file_sealed(void **state)
{
    struct fixture *f = *state;
    char path[64];

    make_credentials(f, path, sizeof(path));
    put_key(path, "mfa-key", 4, MFA_KEY_SIZE);
    reopen(f);
    bring(f, TANAKA, "tanaka");
    put_key(f->path, "mfa.key", 4, MFA_KEY_SIZE);
    reopen(f);
    assert_by_credential(f);
    /* And back from the copy in the safe, when the machine no longer gives it. */
    f->options.credentials = "/nonexistent";
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
    put_key(f->path, "mfa.key", 4, MFA_KEY_SIZE);
    reopen(f);
    assert_int_equal(mfa_key_source(f->mfa), MFA_KEY_FILE);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    remove_credentials(path);
}

static void test_key_readable(void **state)
{
    struct fixture *f = *state;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(fchmodat(f->fd, "mfa.key", 0644, 0), 0);
    reopen(f);
    assert_unavailable(f, MFA_NO_KEY);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_rotation),           CASE(test_rotation_cut_short),
        CASE(test_credential),         CASE(test_credential_malformed),
        CASE(test_file_to_credential), CASE(test_file_sealed),
        CASE(test_key_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

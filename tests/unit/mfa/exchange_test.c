/* Another file under the store's name, while it is in use and after it. */
#include "unit/mfa/fixture.h"

static char *read_whole(const struct fixture *f, const char *name, size_t *ret_size)
{
    _cleanup_close_ int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *bytes;

    assert_int_equal(fstat(fd, &st), 0);
    bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    *ret_size = (size_t)st.st_size;
    return bytes;
}

/* As another file. */
static void put_anew(const struct fixture *f, const char *name, const char *bytes, size_t size)
{
    _cleanup_close_ int fd = openat(f->fd, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(renameat(f->fd, "new", f->fd, name), 0);
}

/* What somebody had put aside, or another store with a key of its own, put in the place of the one in use. */
static void test_exchanged(void **state)
{
    struct fixture *f = *state;
    char *copy = NULL, *other = NULL;
    size_t size = 0, other_size = 0;

    enrol(f, TANAKA, "tanaka");
    copy = read_whole(f, "mfa.db", &size);
    assert_int_equal(verify(f, f->recovery.codes[0], NULL), MFA_ACCEPTED);
    other = read_whole(f, "mfa.db", &other_size);
    put_anew(f, "mfa.db", copy, size);
    assert_int_equal(verify(f, f->recovery.codes[0], NULL), MFA_UNAVAILABLE);
    assert_int_equal(mfa_condition(f->mfa), MFA_DAMAGED);
    assert_non_null(strstr(mfa_complaint(f->mfa), "exchanged"));
    /* The same content in another file is the same store. */
    put_anew(f, "mfa.db", other, other_size);
    pass(f, 2);
    assert_int_equal(verify(f, f->recovery.codes[0], NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    /* Nobody is enrolled in a new one: then it were grace for everybody. */
    assert_int_equal(unlinkat(f->fd, "mfa.db", 0), 0);
    assert_int_equal(unlinkat(f->fd, "mfa.installed", 0), 0);
    pass(f, 2);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_UNAVAILABLE);
    reopen(f); /* the key says that there was one */
    assert_int_equal(mfa_condition(f->mfa), MFA_DAMAGED);
    free(copy);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exchanged, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

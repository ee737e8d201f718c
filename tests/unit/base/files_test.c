#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

struct fixture {
    char path[64];
    int dir;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    strcpy(f->path, "/tmp/kuraban-files-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->dir >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int copy = dup(f->dir);
    DIR *d = fdopendir(copy);
    const struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
            if (unlinkat(f->dir, e->d_name, 0) < 0)
                (void)unlinkat(f->dir, e->d_name, AT_REMOVEDIR);
    closedir(d);
    close(f->dir);
    (void)rmdir(f->path);
    free(f);
    return 0;
}

static unsigned int entries(const struct fixture *f)
{
    DIR *d = opendir(f->path);
    const struct dirent *e;
    unsigned int n = 0;

    assert_non_null(d);
    while ((e = readdir(d)))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void test_write_and_read(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ uint8_t *data = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    struct stat st;

    assert_int_equal(files_write_atomic_at(f->dir, "a", "old\n", 4, 0600), 0);
    assert_int_equal(files_write_atomic_at(f->dir, "a", "new text\n", 9, 0640), 0);
    assert_int_equal(entries(f), 1);
    assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(files_read_at(f->dir, "a", 9, &data, &size), 0);
    assert_int_equal(size, 9);
    assert_string_equal((char *)data, "new text\n");
    assert_int_equal(files_read_text_at(f->dir, "a", 100, &text), 0);
    assert_string_equal(text, "new text");
}

static void test_read_limits(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = NULL;
    char *text = NULL, *large;
    size_t size = 3;

    assert_int_equal(files_write_atomic_at(f->dir, "a", "12345", 5, 0600), 0);
    assert_int_equal(files_read_at(f->dir, "a", 4, &data, &size), -EFBIG);
    assert_int_equal(files_read_at(f->dir, "none", 4, &data, &size), -ENOENT);
    assert_int_equal(size, 3);
    assert_null(data);
    assert_int_equal(files_write_atomic_at(f->dir, "n", "a\0b", 3, 0600), 0);
    assert_int_equal(files_read_text_at(f->dir, "n", 10, &text), -EBADMSG);
    large = malloc(300000);
    assert_non_null(large);
    memset(large, 'x', 300000);
    assert_int_equal(files_write_atomic_at(f->dir, "l", large, 300000, 0600), 0);
    assert_int_equal(files_read_at(f->dir, "l", 299999, &data, &size), -EFBIG);
    assert_int_equal(files_read_at(f->dir, "l", 300000, &data, &size), 0);
    assert_int_equal(size, 300000);
    assert_memory_equal(data, large, 300000);
    free(data);
    free(large);
}

static void test_never_through_a_symlink(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = NULL;
    char *text = NULL;
    size_t size;

    assert_int_equal(files_write_atomic_at(f->dir, "target", "secret", 6, 0600), 0);
    assert_int_equal(symlinkat("target", f->dir, "link"), 0);
    assert_int_equal(mkdirat(f->dir, "d", 0700), 0);
    assert_int_equal(symlinkat("d", f->dir, "dlink"), 0);
    assert_int_equal(mkfifoat(f->dir, "fifo", 0600), 0);
    assert_int_equal(files_read_at(f->dir, "link", 100, &data, &size), -ELOOP);
    assert_int_equal(files_read_at(f->dir, "fifo", 100, &data, &size), -EINVAL); /* and does not hang */
    assert_int_equal(files_read_at(f->dir, "d", 100, &data, &size), -EISDIR);
    assert_int_equal(files_write_attribute_at(f->dir, "link", "x"), -ELOOP);
    assert_int_equal(files_open_directory_at(f->dir, "dlink", 1, 0700), -ENOTDIR);
    assert_int_equal(files_write_atomic_at(f->dir, "../x", "x", 1, 0600), -EINVAL);
    /* writing over a link replaces the link, not what it points to */
    assert_int_equal(files_write_atomic_at(f->dir, "link", "new", 3, 0600), 0);
    assert_int_equal(files_read_text_at(f->dir, "target", 100, &text), 0);
    assert_string_equal(text, "secret");
    free(text);
}

static void test_failed_write_keeps_the_old(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, small;
    char *text = NULL;
    int r;

    assert_int_equal(files_write_atomic_at(f->dir, "a", "old", 3, 0600), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = files_write_atomic_at(f->dir, "a", "much longer", 11, 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(entries(f), 1); /* no temporary file stays */
    assert_int_equal(files_read_text_at(f->dir, "a", 100, &text), 0);
    assert_string_equal(text, "old");
    free(text);
}

static void test_attribute_and_directory(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;
    int fd;

    assert_int_equal(files_write_attribute_at(f->dir, "authorized", "1"), -ENOENT); /* never creates */
    assert_int_equal(files_write_atomic_at(f->dir, "authorized", "0", 1, 0600), 0);
    assert_int_equal(files_write_attribute_at(f->dir, "authorized", "1"), 0);
    assert_int_equal(files_read_text_at(f->dir, "authorized", 10, &text), 0);
    assert_string_equal(text, "1");
    free(text);
    assert_int_equal(files_open_directory_at(f->dir, "sub", 0, 0700), -ENOENT);
    fd = files_open_directory_at(f->dir, "sub", 1, 0700);
    assert_true(fd >= 0);
    close(fd);
    fd = files_open_directory_at(f->dir, "sub", 1, 0700);
    assert_true(fd >= 0);
    close(fd);
}

static void test_temporaries(void **state)
{
    static const char *const names[] = {".trust.json.0123456789abcdef.tmp", ".a.ffffffffffffffff.tmp", /* go */
                                        ".a.0123456789abcdeg.tmp",          ".0123456789abcdef.tmp",
                                        "a.0123456789abcdef.tmp",           ".a.0123456789abcde.tmp",
                                        ".a.0123456789abcdef.tmp.old"};
    const struct fixture *f = *state;

    assert_int_equal(files_remove_temporaries_at(f->dir), 0);
    for (size_t i = 0; i < ELEMENTS(names); i++)
        close_fd(openat(f->dir, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    /* A directory of that name is not ours. */
    assert_int_equal(mkdirat(f->dir, ".b.0123456789abcdef.tmp", 0700), 0);
    assert_int_equal(files_remove_temporaries_at(f->dir), 2);
    for (size_t i = 0; i < ELEMENTS(names); i++)
        assert_int_equal(faccessat(f->dir, names[i], F_OK, 0), i < 2 ? -1 : 0);
    assert_int_equal(unlinkat(f->dir, ".b.0123456789abcdef.tmp", AT_REMOVEDIR), 0);
    assert_int_equal(files_remove_temporaries_at(-1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_through_a_symlink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_keeps_the_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attribute_and_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_temporaries, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"

/* FIPS 180-4 example */
static const char abc_hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void test_known_answer(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    struct digest d, parsed;

    (void)state;
    assert_int_equal(digest_bytes("abc", 3, &d), 0);
    digest_to_hex(&d, hex);
    assert_string_equal(hex, abc_hex);
    assert_int_equal(digest_from_hex(abc_hex, &parsed), 0);
    assert_int_equal(digest_equal(&d, &parsed), 1);
    parsed.bytes[31] ^= 1;
    assert_int_equal(digest_equal(&d, &parsed), 0);
    assert_int_equal(digest_bytes(NULL, 0, &d), 0);
    digest_to_hex(&d, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_from_hex_refuses(void **state)
{
    struct digest d = {{7}};
    char longer[DIGEST_HEX_SIZE + 1];

    (void)state;
    assert_int_equal(digest_from_hex("", &d), -EINVAL);
    assert_int_equal(digest_from_hex("ba78", &d), -EINVAL);
    memcpy(longer, abc_hex, sizeof(abc_hex));
    longer[10] = 'g';
    assert_int_equal(digest_from_hex(longer, &d), -EINVAL);
    memcpy(longer, abc_hex, DIGEST_HEX_SIZE - 1);
    longer[DIGEST_HEX_SIZE - 1] = '0';
    longer[DIGEST_HEX_SIZE] = 0;
    assert_int_equal(digest_from_hex(longer, &d), -EINVAL);
    assert_int_equal(d.bytes[0], 7);
}

static void test_fd(void **state)
{
    int fd = memfd_create("digest", MFD_CLOEXEC);
    char hex[DIGEST_HEX_SIZE];
    struct digest d;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "xabc", 4), 4);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
    assert_int_equal(digest_fd(fd, 3, &d), 0);
    digest_to_hex(&d, hex);
    assert_string_equal(hex, abc_hex);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(digest_fd(fd, 3, &d), -EFBIG);
    close(fd);
    assert_int_equal(digest_fd(fd, 3, &d), -EBADF);
}

static void fields_of(const char *a, const char *b, struct digest *ret)
{
    struct digest_fields *f = NULL;

    assert_int_equal(digest_fields_new(&f), 0);
    assert_int_equal(digest_fields_add(f, a, strlen(a)), 0);
    assert_int_equal(digest_fields_add(f, b, strlen(b)), 0);
    assert_int_equal(digest_fields_finish(f, ret), 0);
    digest_fields_free(f);
}

static void test_fields_do_not_run_together(void **state)
{
    struct digest a, b, same;

    (void)state;
    fields_of("ab", "c", &a);
    fields_of("a", "bc", &b);
    fields_of("ab", "c", &same);
    assert_int_equal(digest_equal(&a, &b), 0);
    assert_int_equal(digest_equal(&a, &same), 1);
    /* the documented bytes: u64 length, field, u64 length, field */
    assert_int_equal(digest_bytes("\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19, &b), 0);
    assert_int_equal(digest_equal(&a, &b), 1);
    assert_null(digest_fields_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_from_hex_refuses),
        cmocka_unit_test(test_fd),
        cmocka_unit_test(test_fields_do_not_run_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

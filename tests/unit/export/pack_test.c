#include "export/pack.h"

#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container_check.h"
#include "pack_fixture.h"

/* What is so with every container. */
static int (*const packers[])(const struct pack_options *o) = {pack_zip, pack_luks};

static int pack(struct fixture *x)
{
    const struct pack_options o = options_of(x);

    return pack_zip(&o);
}

static void test_opens_with_the_password(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_true(x->told >= 3);
    check_zip(x->out, PASSWORD, &x->members, 1795450000);
}

static void test_not_with_another(void **state)
{
    struct fixture *x = *state;
    struct archive_entry *e;
    struct archive *a;
    char byte;

    assert_int_equal(pack(x), 0);
    a = open_zip(x->out, "AAAAA-BBBBB-CCCCC-DDDDD-EEEEF");
    assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
    assert_true(archive_read_data(a, &byte, 1) < 0);
    archive_read_free(a);
}

static void test_what_was_staged_changed(void **state)
{
    struct fixture *x = *state;
    const struct pack_options o = options_of(x);

    assert_int_equal(pwrite(x->staged, "X", 1, 300000), 1);
    for (size_t i = 0; i < ELEMENTS(packers); i++)
        assert_int_equal(packers[i](&o), PACK_E_DIFFERS);
}

static void test_what_was_staged_is_shorter(void **state)
{
    struct fixture *x = *state;
    const struct pack_options o = options_of(x);

    assert_int_equal(ftruncate(x->staged, 1000), 0);
    for (size_t i = 0; i < ELEMENTS(packers); i++)
        assert_int_equal(packers[i](&o), PACK_E_DIFFERS);
}

static void test_stops(void **state)
{
    struct fixture *x = *state;
    const struct pack_options o = options_of(x);

    x->stop_after = 1;
    for (size_t i = 0; i < ELEMENTS(packers); i++) {
        x->told = 0;
        assert_int_equal(packers[i](&o), PACK_E_STOPPED);
        assert_int_equal(x->told, 2);
    }
}

static void test_no_room(void **state)
{
    struct fixture *x = *state;

    close(x->out);
    x->out = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pack(x), PACK_E_FULL);
}

static void test_password(void **state)
{
    char a[PACK_PASSWORD_SIZE], b[PACK_PASSWORD_SIZE];
    unsigned seen[256] = {0}, different = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        assert_int_equal(pack_password(a), 0);
        assert_int_equal(strlen(a), PACK_PASSWORD_SIZE - 1);
        for (size_t k = 0; a[k]; k++) {
            assert_true((k % 6 == 5) == (a[k] == '-'));
            seen[(unsigned char)a[k]]++;
        }
    }
    seen['-'] = 0;
    for (size_t i = 0; i < 256; i++)
        different += seen[i] > 0;
    assert_int_equal(different, 32);
    for (const char *c = "ILOU"; *c; c++)
        assert_int_equal(seen[(unsigned char)*c], 0);
    assert_int_equal(pack_password(b), 0);
    assert_string_not_equal(a, b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opens_with_the_password),
        TEST(test_not_with_another),
        TEST(test_what_was_staged_changed),
        TEST(test_what_was_staged_is_shorter),
        TEST(test_stops),
        TEST(test_no_room),
        cmocka_unit_test(test_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

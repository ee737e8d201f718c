#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void test_roundtrip(void **state)
{
    struct buf b;
    struct buf_reader r;
    uint16_t a;
    uint32_t c;
    uint64_t d;
    char *s = NULL, *empty = NULL;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(buf_add_u16(&b, 0x1234), 0);
    assert_int_equal(buf_add_u32(&b, 0x89abcdef), 0);
    assert_int_equal(buf_add_u64(&b, 0x0102030405060708), 0);
    assert_int_equal(buf_add_string(&b, "住基"), 0);
    assert_int_equal(buf_add_string(&b, NULL), 0);
    assert_memory_equal(b.data, "\x34\x12\xef\xcd\xab\x89\x08\x07", 8); /* little endian */
    r = (struct buf_reader){.data = b.data, .size = b.size};
    assert_int_equal(buf_get_u16(&r, &a), 0);
    assert_int_equal(buf_get_u32(&r, &c), 0);
    assert_int_equal(buf_get_u64(&r, &d), 0);
    assert_int_equal(buf_get_end(&r), -EBADMSG);
    assert_int_equal(buf_get_string(&r, 16, &s), 0);
    assert_int_equal(buf_get_string(&r, 0, &empty), 0);
    assert_int_equal(buf_get_end(&r), 0);
    assert_int_equal(a, 0x1234);
    assert_int_equal(c, 0x89abcdef);
    assert_true(d == 0x0102030405060708);
    assert_string_equal(s, "住基");
    assert_string_equal(empty, "");
    free(s);
    free(empty);
    buf_done(&b);
    assert_null(b.data);
}

static void test_maximum_leaves_contents(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_add(&b, "abcd", 4), 0);
    assert_int_equal(buf_add(&b, "efghi", 5), -ENOBUFS);
    assert_int_equal(buf_add_u64(&b, 1), -ENOBUFS);
    assert_int_equal(buf_add_string(&b, "x"), -ENOBUFS); /* the length alone would have fitted */
    assert_int_equal(buf_printf(&b, "%s", "12345"), -ENOBUFS);
    assert_int_equal(b.size, 4);
    assert_memory_equal(b.data, "abcd", 4);
    assert_int_equal(buf_printf(&b, "%d", 1234), 0);
    assert_memory_equal(b.data, "abcd1234", 8);
    buf_done(&b);
}

static void test_growth_keeps_contents(void **state)
{
    struct buf b;
    char big[1000];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    buf_init(&b, 70000);
    for (int i = 0; i < 70; i++)
        assert_int_equal(buf_printf(&b, "%s%d", big, i % 10), 0);
    assert_int_equal(b.size, 70000);
    assert_int_equal(b.data[69999], '9');
    assert_int_equal(buf_add(&b, "", 1), -ENOBUFS);
    buf_clear(&b);
    assert_int_equal(b.size, 0);
    buf_done(&b);
}

static void test_getters_refuse_truncation(void **state)
{
    static const uint8_t bytes[] = {5, 0, 0, 0, 'a', 'b', 'c', 'd'};
    static const uint8_t nul[] = {3, 0, 0, 0, 'a', 0, 'c'};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
    struct buf_reader r = {.data = bytes, .size = sizeof(bytes)};
    uint64_t v = 7;
    uint16_t small = 9;
    char *s = NULL;

    (void)state;
    assert_int_equal(buf_get_string(&r, 100, &s), -EBADMSG);
    assert_int_equal(r.offset, 0);
    r.size = 7;
    assert_int_equal(buf_get_u64(&r, &v), -EBADMSG);
    assert_true(v == 7);
    r.size = 1;
    assert_int_equal(buf_get_u16(&r, &small), -EBADMSG);
    assert_int_equal(small, 9);
    r = (struct buf_reader){.data = nul, .size = sizeof(nul)};
    assert_int_equal(buf_get_string(&r, 100, &s), -EBADMSG);
    assert_int_equal(buf_get_string(&r, 2, &s), -EBADMSG); /* longer than the caller takes */
    r = (struct buf_reader){.data = huge, .size = sizeof(huge)};
    assert_int_equal(buf_get_string(&r, SIZE_MAX, &s), -EBADMSG);
    r = (struct buf_reader){.data = huge, .size = 2, .offset = 3};
    assert_int_equal(buf_get_u16(&r, &small), -EBADMSG); /* a reader past its end stays there */
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip),
        cmocka_unit_test(test_maximum_leaves_contents),
        cmocka_unit_test(test_growth_keeps_contents),
        cmocka_unit_test(test_getters_refuse_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

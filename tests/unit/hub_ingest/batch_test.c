/* Lines as a terminal sends them, good and bad, by themselves. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "fake/chain.h"
#include "hub/ingest/batch.h"

static struct chain c;

static int begin(void **state)
{
    (void)state;
    chain_init(&c);
    return 0;
}

static int end(void **state)
{
    (void)state;
    chain_done(&c);
    return 0;
}

static int judge(const char *bytes, size_t size)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *b = NULL;
    int r = ingest_batch_read(bytes, size, c.key, &b);

    assert_true((r == INGEST_GOOD) == (b != NULL));
    return r;
}

static void test_good(void **state)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *b = NULL;
    size_t size = 0;
    const char *lines;

    (void)state;
    chain_fill(&c, 5);
    chain_checkpoint(&c, NULL);
    chain_fill(&c, 1);
    lines = chain_lines(&c, 2, 7, &size);
    assert_int_equal(ingest_batch_read(lines, size, c.key, &b), INGEST_GOOD);
    assert_int_equal(b->n, 6);
    assert_int_equal(b->lines[0].seq, 2);
    assert_int_equal(b->lines[5].end, size);
    assert_int_equal(b->sealed, 6);
    assert_true(digest_equal(&b->lines[5].hash, &c.hash));
    assert_non_null(json_object_get(b->terms[HUB_TERM_USER], "1000"));
    assert_int_equal(json_object_size(b->terms[HUB_TERM_USER]), 1);
    assert_int_equal(json_object_size(b->terms[HUB_TERM_VERDICT]), 2);
    assert_int_equal(json_object_size(b->terms[HUB_TERM_ACTION]), 2);
}

/* Any one byte changed, cut off or doubled anywhere: what is still good has only its last line changed. */
static void test_changed(void **state)
{
    size_t size = 0, last = 0, good = 0;
    const char *lines;
    char *copy;

    (void)state;
    chain_fill(&c, 3);
    chain_checkpoint(&c, NULL);
    lines = chain_lines(&c, 1, 4, &size);
    (void)chain_lines(&c, 4, 4, &last);
    copy = malloc(size);
    assert_non_null(copy);
    for (size_t i = 0; i < size; i++) {
        memcpy(copy, lines, size);
        copy[i] = (char)(copy[i] ^ 1);
        if (judge(copy, size) == INGEST_GOOD) {
            assert_true(i >= size - last);
            good++;
        }
        if (judge(lines, i) == INGEST_GOOD)
            assert_true(i > 0 && lines[i - 1] == '\n');
    }
    assert_true(good < last); /* most of a checkpoint's bytes are under its signature, or its shape */
    free(copy);
}

static void test_bad(void **state)
{
    static const struct {
        const char *bytes;
        int verdict;
    } cases[] = {
        {"", INGEST_E_SIZE},
        {"\n", INGEST_E_LINE},
        {"x", INGEST_E_LINE},
        {"[]\n", INGEST_E_LINE},
        {"{}\n", INGEST_E_LINE},
        {"{\"kuraban\":{\"seq\":1}}\n", INGEST_E_LINE},
        {"{\"@timestamp\":\"yesterday\",\"event\":{\"action\":\"x\"},\"kuraban\":{\"seq\":1,\"prev\":"
         "\"0000000000000000000000000000000000000000000000000000000000000000\"}}\n",
         INGEST_E_LINE},
        {"{\"@timestamp\":\"2026-12-01T00:00:00Z\",\"event\":{\"action\":\"x\"},\"kuraban\":{\"seq\":0,\"prev\":"
         "\"0000000000000000000000000000000000000000000000000000000000000000\"}}\n",
         INGEST_E_LINE},
        {"{\"@timestamp\":\"2026-12-01T00:00:00Z\",\"event\":{\"action\":\"journal-checkpoint\"},\"kuraban\":{\"seq\":1,"
         "\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"}}\n",
         INGEST_E_SEAL},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(judge(cases[i].bytes, strlen(cases[i].bytes)), cases[i].verdict);
}

static void test_order_and_link(void **state)
{
    size_t one = 0, two = 0;
    const char *first, *second;
    char *both;

    (void)state;
    chain_fill(&c, 3);
    first = chain_lines(&c, 1, 1, &one);
    second = chain_lines(&c, 3, 3, &two);
    both = malloc(one + two);
    assert_non_null(both);
    memcpy(both, first, one);
    memcpy(both + one, second, two);
    assert_int_equal(judge(both, one + two), INGEST_E_ORDER);
    memcpy(both, second, two);
    memcpy(both + two, first, one);
    assert_int_equal(judge(both, one + two), INGEST_E_ORDER);
    free(both);
    {
        size_t size = 0;
        char *copy;

        first = chain_lines(&c, 1, 2, &size);
        copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, first, size);
        memcpy(copy + strlen("{\"@timestamp\":\""), "3", 1); /* the first line's year: its hash is another */
        assert_int_equal(judge(copy, size), INGEST_E_LINK);
        free(copy);
    }
}

static void test_size(void **state)
{
    char *bytes = malloc(PACK_MAX + 1);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, '\n', PACK_MAX + 1);
    assert_int_equal(judge(bytes, PACK_MAX + 1), INGEST_E_SIZE);
    assert_int_equal(judge(bytes, PACK_MAX), INGEST_E_LINE);
    memset(bytes, 'x', PACK_MAX);
    bytes[PACK_MAX - 1] = '\n';
    assert_int_equal(judge(bytes, PACK_MAX), INGEST_E_LINE);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, begin, end),
        cmocka_unit_test_setup_teardown(test_changed, begin, end),
        cmocka_unit_test_setup_teardown(test_bad, begin, end),
        cmocka_unit_test_setup_teardown(test_order_and_link, begin, end),
        cmocka_unit_test_setup_teardown(test_size, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines by their numbers: exactly as they stand, over segments and gaps, never past what is on disk. */
#include "audit/cut.h"

#include "audit/segment.h"
#include "unit/audit/journal_fixture.h"

enum {
    PIECE = 8 * 1024
};

static char *read_segments(struct fixture *f, size_t *ret_size)
{
    struct segment_list list;
    char *all = NULL, name[SEGMENT_NAME_SIZE];
    size_t size = 0;

    assert_int_equal(segment_list_read(f->dir, &list), 0);
    for (size_t i = 0; i < list.n; i++) {
        size_t n;
        char *one;

        segment_name(list.items[i].first, name);
        one = fixture_load(f, name, &n);
        all = realloc(all, size + n + 1);
        assert_non_null(all);
        memcpy(all + size, one, n);
        size += n;
        free(one);
    }
    assert_true(list.n > 2);
    segment_list_done(&list);
    all[size] = '\0';
    *ret_size = size;
    return all;
}

static void fill(struct fixture *f)
{
    f->options.limits.segment_size = 64 << 10;
    fixture_open(f);
    fixture_add(f, 600);
}

/* All of it in pieces is what the segments are. */
static void test_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor c = {0};
    struct journal_piece p = {0};
    uint64_t from = 1, until, pieces = 0;
    size_t size = 0, done = 0;
    char *whole;

    fill(f);
    whole = read_segments(f, &size);
    until = journal_durable_sequence(f->journal);
    while (journal_cut(f->dir, &c, from, until, PIECE, &p) == 0) {
        assert_true(p.first == from && p.last >= p.first && p.size > 0 && p.size <= PIECE);
        assert_true(done + p.size <= size);
        assert_memory_equal(p.lines, whole + done, p.size);
        done += p.size;
        from = p.last + 1;
        pieces++;
        free(p.lines);
    }
    assert_true(from == until + 1);
    assert_int_equal(done, size);
    assert_true(pieces > 20);
    free(whole);
}

/* From anywhere, with whatever is remembered; and each hash is what the next record says. */
static void test_anywhere(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor c = {0};
    struct journal_piece p = {0};
    uint64_t until;

    fill(f);
    until = journal_durable_sequence(f->journal);
    for (uint64_t i = 1; i < until; i += 7) {
        uint64_t seq = i * 37 % (until - 1) + 1;
        char want[DIGEST_HEX_SIZE + 16], hex[DIGEST_HEX_SIZE];
        struct digest hash;

        assert_int_equal(journal_hash_at(f->dir, &c, seq, until, &hash), 0);
        digest_to_hex(&hash, hex);
        assert_int_equal(journal_cut(f->dir, &c, seq + 1, until, 64 << 10, &p), 0);
        assert_true(p.first == seq + 1);
        (void)snprintf(want, sizeof(want), "\"prev\":\"%s\"", hex);
        if (!memmem(p.lines, p.size, want, strlen(want)))
            fail_msg("record %llu", (unsigned long long)seq);
        free(p.lines);
    }
}

static void test_ends(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor c = {0};
    struct journal_piece p = {0};
    struct digest hash;
    uint64_t until, oldest = 0;

    fill(f);
    until = journal_durable_sequence(f->journal);
    assert_int_equal(journal_oldest(f->dir, &oldest), 0);
    assert_true(oldest == 1);
    assert_int_equal(journal_cut(f->dir, &c, 0, until, PIECE, &p), JOURNAL_CUT_E_NONE);
    assert_int_equal(journal_cut(f->dir, &c, until + 1, until, PIECE, &p), JOURNAL_CUT_E_NONE);
    assert_int_equal(journal_cut(f->dir, &c, until + 1, until + 9, PIECE, &p), JOURNAL_CUT_E_NONE);
    assert_int_equal(journal_hash_at(f->dir, &c, until + 1, until, &hash), JOURNAL_CUT_E_NONE);
    assert_int_equal(journal_cut(f->dir, &c, 1, until, 10, &p), -EFBIG);
    assert_int_equal(journal_cut(f->dir, &c, 5, 7, PIECE, &p), 0);
    assert_true(p.first == 5 && p.last == 7);
    free(p.lines);
    /* What is being written has no end yet. */
    assert_int_equal(journal_cut(f->dir, &c, until, until, PIECE, &p), 0);
    assert_true(p.last == until);
    free(p.lines);
}

/* What was released is passed over, and so is what is missing in the middle. */
static void test_gaps(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor c = {0};
    struct journal_piece p = {0};
    struct segment_list list;
    char name[SEGMENT_NAME_SIZE], *data, *third, *end;
    uint64_t until, second;
    struct digest hash;
    size_t size, n;

    fill(f);
    until = journal_durable_sequence(f->journal);
    assert_int_equal(segment_list_read(f->dir, &list), 0);
    second = list.items[1].first;
    segment_name(1, name);
    assert_int_equal(unlinkat(f->dir, name, 0), 0);
    segment_name(second, name);
    segment_list_done(&list);
    assert_int_equal(journal_cut(f->dir, &c, 3, until, PIECE, &p), 0);
    assert_true(p.first == second);
    free(p.lines);
    assert_int_equal(journal_hash_at(f->dir, &c, 3, until, &hash), JOURNAL_CUT_E_NONE);
    /* Two records of the second segment are gone. */
    data = fixture_load(f, name, &size);
    third = fixture_line(data, 3, &n);
    end = fixture_line(data, 5, &n);
    memmove(third, end, size - (size_t)(end - data) + 1);
    fixture_store(f, name, data, size - (size_t)(end - third));
    free(data);
    c = (struct journal_cursor){0};
    assert_int_equal(journal_cut(f->dir, &c, second + 2, until, PIECE, &p), 0);
    assert_true(p.first == second + 4);
    free(p.lines);
    assert_int_equal(journal_hash_at(f->dir, &c, second + 3, until, &hash), JOURNAL_CUT_E_NONE);
    assert_int_equal(journal_hash_at(f->dir, &c, second + 9, until, &hash), 0);
    assert_int_equal(journal_cut(f->dir, &c, second, until, PIECE, &p), 0);
    assert_true(p.first == second && p.last > second + 3);
    free(p.lines);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_of_it), TEST(test_anywhere), TEST(test_ends), TEST(test_gaps)};

    fixture_use_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

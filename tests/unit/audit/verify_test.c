#include "unit/audit/journal_fixture.h"

#include "audit/head.h"
#include "audit/segment.h"

/* key record 1, checkpoint 2, records 3 to 22, checkpoint 23 of closing */
enum {
    LAST = 23
};

static struct fixture *closed_journal(void **state)
{
    struct fixture *f = *state;

    fixture_open(f);
    fixture_add(f, 20);
    fixture_close(f);
    fixture_assert_ok(f);
    assert_int_equal(fixture_verify(f).last_seq, LAST);
    return f;
}

static void assert_flaw(struct fixture *f, enum journal_flaw flaw, uint64_t seq)
{
    struct journal_verify_result r = fixture_verify(f);

    assert_false(r.ok);
    assert_string_equal(journal_flaw_name(r.flaw), journal_flaw_name(flaw));
    assert_int_equal(r.first_bad, seq);
    assert_true(r.why[0] != 0);
    assert_true(r.flaws >= 1);
}

/* One byte of record n, at the first place of `what` in its line, becomes another. */
static void edit(struct fixture *f, unsigned int n, const char *what, size_t offset)
{
    size_t size, line_size;
    char *data = fixture_load(f, FIRST_SEGMENT, &size), *line = fixture_line(data, n, &line_size), *at;

    at = strstr(line, what);
    assert_non_null(at);
    assert_true(at < line + line_size);
    at[offset] = at[offset] == '0' ? '1' : '0';
    fixture_store(f, FIRST_SEGMENT, data, size);
    free(data);
}

static void test_edit_each_field(void **state)
{
    static const struct {
        const char *what;
        size_t offset;
    } fields[] = {
        {"@timestamp\":\"2026", 13}, {"file-open", 3},          {"\"failure\"", 2},         {"\"1000\"", 1},
        {"\"pid\":4321", 7},         {"/usr/bin/cp", 4},        {"/srv/juki/", 12},         {"\"id\":\"juki\"", 7},
        {"\"boot\":\"", 9},          {"\"monotonic_us\":", 16}, {"\"verdict\":\"deny", 12}, {"\"count\":1", 8},
    };
    struct fixture *f = closed_journal(state);
    size_t size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size);

    for (size_t i = 0; i < ELEMENTS(fields); i++) {
        edit(f, 7, fields[i].what, fields[i].offset);
        assert_flaw(f, JOURNAL_FLAW_EDITED, 7);
        assert_int_equal(fixture_verify(f).line, 7);
        assert_string_equal(fixture_verify(f).file, FIRST_SEGMENT);
        fixture_store(f, FIRST_SEGMENT, good, size);
        fixture_assert_ok(f);
    }
    free(good);
}

static void test_edit_links_and_structure(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size);

    edit(f, 7, "\"prev\":\"", 10); /* 6 or the link to it: both are named, the second is wrong as well */
    assert_flaw(f, JOURNAL_FLAW_EDITED, 6);
    assert_int_equal(fixture_verify(f).flaws, 2);
    fixture_store(f, FIRST_SEGMENT, good, size);
    edit(f, 7, "\"seq\":7", 6);
    assert_false(fixture_verify(f).ok);
    fixture_store(f, FIRST_SEGMENT, good, size);
    edit(f, 7, "{", 0);
    assert_flaw(f, JOURNAL_FLAW_JSON, 7);
    fixture_store(f, FIRST_SEGMENT, good, size);
    edit(f, 7, "\n", 0); /* two lines become one */
    assert_flaw(f, JOURNAL_FLAW_JSON, 7);
    fixture_store(f, FIRST_SEGMENT, good, size);
    edit(f, 1, "\"prev\":\"", 10);
    assert_flaw(f, JOURNAL_FLAW_EDITED, 1);
    fixture_store(f, FIRST_SEGMENT, good, size);
    edit(f, LAST, "\"monotonic_us\":", 16); /* the last record has no successor: the head knows it */
    assert_flaw(f, JOURNAL_FLAW_EDITED, LAST);
    free(good);
}

/* Every single byte of a small journal, one at a time: nothing slips through. */
static void test_every_byte_counts(void **state)
{
    struct fixture *f = *state;
    char *data;
    size_t size;

    fixture_open(f);
    fixture_add(f, 2);
    fixture_close(f);
    data = fixture_load(f, FIRST_SEGMENT, &size);
    for (size_t i = 0; i < size; i++) {
        char saved = data[i];
        int fd;

        data[i] = (char)(saved ^ 1);
        fd = openat(f->dir, FIRST_SEGMENT, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, data + i, 1, (off_t)i), 1);
        if (fixture_verify(f).ok)
            print_error("byte %zu of %zu (%c) can be changed\n", i, size, saved);
        assert_false(fixture_verify(f).ok);
        data[i] = saved;
        assert_int_equal(pwrite(fd, data + i, 1, (off_t)i), 1);
        close(fd);
    }
    fixture_assert_ok(f);
    free(data);
}

static void delete_record(struct fixture *f, unsigned int n)
{
    size_t size, line_size;
    char *data = fixture_load(f, FIRST_SEGMENT, &size), *line = fixture_line(data, n, &line_size);

    memmove(line, line + line_size, size - (size_t)(line - data) - line_size);
    fixture_store(f, FIRST_SEGMENT, data, size - line_size);
    free(data);
}

static void test_delete(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size);

    delete_record(f, 9);
    assert_flaw(f, JOURNAL_FLAW_MISSING, 9);
    assert_int_equal(fixture_verify(f).line, 9); /* where it should stand */
    fixture_store(f, FIRST_SEGMENT, good, size);
    delete_record(f, 1);
    assert_flaw(f, JOURNAL_FLAW_START, 1);
    fixture_store(f, FIRST_SEGMENT, good, size);
    delete_record(f, LAST);
    assert_flaw(f, JOURNAL_FLAW_MISSING, LAST);
    free(good);
}

static void test_swap_and_repeat(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size, a_size, b_size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size), *data = malloc(2 * size), *a, *b;

    assert_non_null(data);
    a = fixture_line(good, 5, &a_size);
    b = fixture_line(good, 6, &b_size);
    memcpy(data, good, size);
    memcpy(data + (a - good), b, b_size);
    memcpy(data + (a - good) + b_size, a, a_size);
    fixture_store(f, FIRST_SEGMENT, data, size);
    assert_flaw(f, JOURNAL_FLAW_MISSING, 5); /* 6 stands where 5 belongs: removed, or moved */
    memcpy(data, good, (size_t)(b - good));
    memcpy(data + (b - good), a, a_size);
    memcpy(data + (b - good) + a_size, b, size - (size_t)(b - good));
    fixture_store(f, FIRST_SEGMENT, data, size + a_size);
    assert_flaw(f, JOURNAL_FLAW_ORDER, 5);
    free(data);
    free(good);
}

static void test_truncate(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size, line_size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size), *line;

    line = fixture_line(good, 15, &line_size);
    fixture_store(f, FIRST_SEGMENT, good, (size_t)(line - good));
    assert_flaw(f, JOURNAL_FLAW_MISSING, 15);
    fixture_store(f, FIRST_SEGMENT, good, (size_t)(line - good) + 40);
    assert_flaw(f, JOURNAL_FLAW_TORN, 15);
    fixture_store(f, FIRST_SEGMENT, good, 0);
    assert_flaw(f, JOURNAL_FLAW_MISSING, 1);
    assert_int_equal(unlinkat(f->dir, FIRST_SEGMENT, 0), 0);
    assert_flaw(f, JOURNAL_FLAW_MISSING, 1);
    assert_int_equal(unlinkat(f->dir, HEAD_NAME, 0), 0);
    assert_flaw(f, JOURNAL_FLAW_EMPTY, 1);
    free(good);
}

static void test_gap_stays_visible_after_restart(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size, line_size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size), *line = fixture_line(good, 15, &line_size);

    fixture_store(f, FIRST_SEGMENT, good, (size_t)(line - good));
    for (int i = 0; i < 3; i++) { /* the daemon goes on, signs again, and hides nothing */
        fixture_open(f);
        fixture_add(f, 3);
        fixture_close(f);
        assert_flaw(f, JOURNAL_FLAW_MISSING, 15);
        assert_int_equal(fixture_count(f, "journal-truncated"), 1); /* the alarm, once */
    }
    assert_int_equal(fixture_count(f, "\"missing\":{\"first\":15,\"last\":23}"), 1);
    free(good);
}

static void test_edited_tail_stays_visible_after_restart(void **state)
{
    struct fixture *f = closed_journal(state);

    edit(f, 20, "/srv/juki/", 12);
    fixture_open(f);
    fixture_add(f, 3);
    fixture_close(f);
    assert_flaw(f, JOURNAL_FLAW_EDITED, 20);
    assert_int_equal(fixture_count(f, "journal-truncated"), 1);
}

static void test_segments(void **state)
{
    struct fixture *f = *state;
    struct segment_list list;
    size_t n;

    f->options.limits.segment_size = 64 << 10;
    fixture_open(f);
    fixture_add(f, 600);
    fixture_close(f);
    assert_int_equal(segment_list_read(f->dir, &list), 0);
    n = list.n;
    assert_true(n >= 4);
    for (size_t i = 0; i < n; i++) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(list.items[i].first, name);
        assert_int_equal(renameat(f->dir, name, f->dir, "away"), 0);
        if (i == 0)
            assert_flaw(f, JOURNAL_FLAW_START, list.items[1].first - 1);
        else
            assert_flaw(f, JOURNAL_FLAW_MISSING, list.items[i].first);
        assert_int_equal(symlinkat("away", f->dir, name), 0);
        assert_flaw(f, JOURNAL_FLAW_FILE, list.items[i].first);
        assert_int_equal(renameat(f->dir, "away", f->dir, name), 0);
        fixture_assert_ok(f);
    }
    segment_list_done(&list);
}

static void test_forged_signatures(void **state)
{
    struct fixture *f = closed_journal(state);
    struct journal_key *other = NULL;
    struct journal_verify_options options = {0};
    struct journal_verify_result r;
    _cleanup_close_ int dir = files_open_directory_at(f->state, "other", 1, 0700);
    struct journal_head head;
    struct buf text;

    assert_int_equal(journal_key_open(dir, &other), JOURNAL_KEY_CREATED);
    options.key = other; /* seen with the right key, this is what a forger with a key of his own has made */
    assert_int_equal(journal_verify(f->dir, &options, &r), 0);
    assert_false(r.ok);
    assert_int_equal(r.flaw, JOURNAL_FLAW_CHECKPOINT);
    assert_int_equal(r.first_bad, 2);
    assert_int_equal(r.checkpoints, 0);
    assert_int_equal(head_read(f->dir, &head), 0);
    buf_init(&text, HEAD_MAX);
    assert_int_equal(head_format(other, head.seq, &head.hash, f->wall_us, &text), 0);
    fixture_store(f, HEAD_NAME, (char *)text.data, text.size);
    assert_flaw(f, JOURNAL_FLAW_HEAD, LAST);
    fixture_store(f, HEAD_NAME, "{}", 2);
    assert_flaw(f, JOURNAL_FLAW_HEAD, LAST);
    buf_done(&text);
    journal_key_free(other);
}

static void test_replayed_head(void **state)
{
    struct fixture *f = *state;
    size_t head_size, size, line_size;
    char *old_head, *data, *line;

    f->options.limits.checkpoint_records = 10;
    fixture_open(f);
    fixture_add(f, 5);
    old_head = fixture_load(f, HEAD_NAME, &head_size);
    for (int i = 0; i < 6; i++)
        fixture_add(f, 10);
    fixture_close(f);
    fixture_assert_ok(f);
    fixture_store(f, HEAD_NAME, old_head, head_size); /* alone: a checkpoint knows better */
    assert_flaw(f, JOURNAL_FLAW_REPLAYED, 8);
    data = fixture_load(f, FIRST_SEGMENT, &size);
    line = fixture_line(data, 30, &line_size);
    fixture_store(f, FIRST_SEGMENT, data, (size_t)(line - data)); /* with a cut that leaves such a checkpoint */
    assert_flaw(f, JOURNAL_FLAW_REPLAYED, 8);
    fixture_open(f); /* a start does not cover it up in silence */
    fixture_close(f);
    assert_int_equal(fixture_count(f, "the head was replaced by an older one"), 1);
    free(old_head);
    free(data);
}

static void test_anchor_kept_elsewhere(void **state)
{
    struct fixture *f = closed_journal(state);
    struct journal_verify_options options = {.key = fixture_key(f), .known_seq = LAST};
    struct journal_verify_result r;
    struct journal_head head;

    assert_int_equal(head_read(f->dir, &head), 0);
    options.known_hash = &head.hash;
    assert_int_equal(journal_verify(f->dir, &options, &r), 0);
    assert_true(r.ok);
    head.hash.bytes[0] ^= 1;
    assert_int_equal(journal_verify(f->dir, &options, &r), 0);
    assert_int_equal(r.flaw, JOURNAL_FLAW_EDITED);
    options.known_seq = LAST + 1; /* the whole state directory was put back to an earlier day */
    assert_int_equal(journal_verify(f->dir, &options, &r), 0);
    assert_int_equal(r.flaw, JOURNAL_FLAW_REPLAYED);
    assert_int_equal(r.first_bad, LAST + 1);
    journal_key_free((struct journal_key *)(uintptr_t)options.key);
}

static void test_lost_key_and_lost_journal(void **state)
{
    struct fixture *f = closed_journal(state);

    assert_int_equal(unlinkat(f->state, "key/journal.pem", 0), 0);
    fixture_open(f);
    fixture_close(f);
    assert_false(fixture_verify(f).ok);
    assert_int_equal(fixture_count(f, "\"kind\":\"alert\""), 2); /* head not signed by this key; a key was created */
    assert_int_equal(unlinkat(f->dir, FIRST_SEGMENT, 0), 0);
    assert_int_equal(unlinkat(f->dir, HEAD_NAME, 0), 0);
    fixture_open(f);
    fixture_close(f);
    assert_int_equal(fixture_count(f, "the journal is missing although its key exists"), 1);
}

static void test_long_line(void **state)
{
    struct fixture *f = closed_journal(state);
    size_t size;
    char *good = fixture_load(f, FIRST_SEGMENT, &size), *data = malloc(size + 200000);

    assert_non_null(data);
    memcpy(data, good, size);
    memset(data + size, 'x', 200000);
    data[size + 199999] = '\n';
    fixture_store(f, FIRST_SEGMENT, data, size + 200000);
    assert_flaw(f, JOURNAL_FLAW_LONG, LAST + 1);
    free(data);
    free(good);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_edit_each_field),
        T(test_edit_links_and_structure),
        T(test_every_byte_counts),
        T(test_delete),
        T(test_swap_and_repeat),
        T(test_truncate),
        T(test_gap_stays_visible_after_restart),
        T(test_edited_tail_stays_visible_after_restart),
        T(test_segments),
        T(test_forged_signatures),
        T(test_replayed_head),
        T(test_anchor_kept_elsewhere),
        T(test_lost_key_and_lost_journal),
        T(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "export/ledger.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    int fd;
    struct ledger *l;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    (void)snprintf(x->dir, sizeof(x->dir), "/tmp/kuraban-ledger-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->fd = open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ledger_open(x->fd, &x->l), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    ledger_free(x->l);
    (void)unlinkat(x->fd, "export.db", 0);
    close(x->fd);
    assert_int_equal(rmdir(x->dir), 0);
    free(x);
    return 0;
}

static void reopen(struct fixture *x)
{
    x->l = ledger_free(x->l);
    assert_int_equal(ledger_open(x->fd, &x->l), 0);
}

static struct ledger_use used(struct fixture *x, uid_t uid, const char *rule, int64_t day)
{
    struct ledger_use u = {99, 99};

    assert_int_equal(ledger_used(x->l, uid, rule, day, &u), 0);
    return u;
}

static void begin(struct fixture *x, const char *id)
{
    const struct ledger_export e = {.id = id, .device = "sdb1-5", .text = "to sdb1", .uid = 1000};

    assert_int_equal(ledger_begin(x->l, &e), 0);
}

static void take_out(struct fixture *x, uid_t uid, int64_t day, uint64_t files, uint64_t bytes)
{
    const struct ledger_count counts[] = {{"a", files, bytes}, {"b", 1, 1}};

    begin(x, "one");
    assert_int_equal(ledger_commit(x->l, "one", uid, day, counts, 2), 0);
    assert_int_equal(ledger_end(x->l, "one"), 0);
}

static void test_counts_by_person_rule_and_day(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(used(x, 1000, "a", 5).files, 0);
    take_out(x, 1000, 5, 3, 100);
    take_out(x, 1000, 5, 2, 50);
    reopen(x);
    assert_int_equal(used(x, 1000, "a", 5).files, 5);
    assert_int_equal(used(x, 1000, "a", 5).bytes, 150);
    assert_int_equal(used(x, 1000, "b", 5).files, 2);
    assert_int_equal(used(x, 1000, "c", 5).files, 0);
    assert_int_equal(used(x, 1001, "a", 5).files, 0);
    assert_int_equal(used(x, 1000, "a", 6).files, 0);
}

/* A clock that was set back does not give the day's amount again, nor does it hide what is counted meanwhile. */
static void test_clock_set_back(void **state)
{
    struct fixture *x = *state;

    take_out(x, 1000, 5, 3, 100);
    assert_int_equal(used(x, 1000, "a", 4).files, 3);
    take_out(x, 1000, 4, 2, 1);
    assert_int_equal(used(x, 1000, "a", 4).files, 5);
    assert_int_equal(used(x, 1000, "a", 5).files, 5);
    assert_int_equal(used(x, 1001, "a", 4).files, 0);
    assert_int_equal(used(x, 1000, "a", 6).files, 0);
}

static void note(void *context, const struct ledger_export *e)
{
    char *seen = context;

    (void)snprintf(seen + strlen(seen), 64, "%s:%s:%u:%d ", e->id, e->device, e->uid, e->phase);
}

static void test_unfinished(void **state)
{
    struct fixture *x = *state;
    char seen[256] = "";

    begin(x, "one");
    begin(x, "two");
    begin(x, "three");
    assert_int_equal(ledger_commit(x->l, "two", 1000, 1, NULL, 0), 0);
    assert_int_equal(ledger_end(x->l, "three"), 0);
    reopen(x);
    assert_int_equal(ledger_unfinished(x->l, note, seen), 2);
    assert_string_equal(seen, "one:sdb1-5:1000:0 two:sdb1-5:1000:1 ");
}

/* The way out of one that did not end well; what is over is remembered for a while, for what it may have left on a medium. */
static void test_leftovers(void **state)
{
    struct fixture *x = *state;
    char seen[64 * (LEDGER_LEFT_MAX + 8)] = "", id[8];

    begin(x, "one");
    assert_int_equal(ledger_set_left(x->l, "one"), -ENOENT); /* its end is not recorded */
    assert_int_equal(ledger_set_leaving(x->l, "one"), 0);
    reopen(x);
    assert_int_equal(ledger_unfinished(x->l, note, seen), 1);
    assert_int_equal(ledger_leftovers(x->l, note, seen), 0);
    assert_string_equal(seen, "one:sdb1-5:1000:2 ");
    assert_int_equal(ledger_set_left(x->l, "one"), 0);
    assert_int_equal(ledger_unfinished(x->l, note, seen), 0);
    begin(x, "two");
    assert_int_equal(ledger_commit(x->l, "one", 1000, 1, NULL, 0), -ENOENT);
    assert_int_equal(ledger_set_leaving(x->l, "two"), 0);
    assert_int_equal(ledger_set_left(x->l, "two"), 0);
    seen[0] = '\0';
    assert_int_equal(ledger_leftovers(x->l, note, seen), 2);
    assert_string_equal(seen, "two:sdb1-5:1000:3 one:sdb1-5:1000:3 ");
    for (unsigned i = 0; i < LEDGER_LEFT_MAX - 1; i++) {
        (void)snprintf(id, sizeof(id), "%u", i);
        begin(x, id);
        assert_int_equal(ledger_set_leaving(x->l, id), 0);
        assert_int_equal(ledger_set_left(x->l, id), 0);
    }
    seen[0] = '\0';
    assert_int_equal(ledger_leftovers(x->l, note, seen), LEDGER_LEFT_MAX);
    assert_non_null(strstr(seen, "two:"));
    assert_null(strstr(seen, "one:"));
}

/* Nothing of it counts, when not all of it could be written. */
static void test_all_or_nothing(void **state)
{
    struct fixture *x = *state;
    const struct ledger_count counts[] = {{"a", 1, 1}, {"b", UINT64_MAX, 1}};

    begin(x, "one");
    assert_true(ledger_commit(x->l, "one", 1000, 5, counts, 2) < 0);
    assert_true(ledger_commit(x->l, "nobody", 1000, 5, counts, 1) < 0);
    assert_int_equal(used(x, 1000, "a", 5).files, 0);
    assert_int_equal(ledger_commit(x->l, "one", 1000, 5, counts, 1), 0);
    assert_int_equal(used(x, 1000, "a", 5).files, 1);
}

static void test_damaged(void **state)
{
    struct fixture *x = *state;
    struct ledger *l = NULL;
    int fd;

    x->l = ledger_free(x->l);
    fd = openat(x->fd, "export.db", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(
        write(fd, "this is no database, and it is long enough to be looked at as one ............................", 90),
        90);
    close(fd);
    assert_true(ledger_open(x->fd, &l) < 0);
    assert_null(l);
}

static void test_days_grow(void **state)
{
    int64_t last = -1;

    (void)state;
    for (int64_t day = 0; day < 2000; day++) {
        int64_t number = ledger_day((day * 24 + 12) * INT64_C(3600000000));

        assert_true(number > last);
        last = number;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counts_by_person_rule_and_day),
        TEST(test_clock_set_back),
        TEST(test_unfinished),
        TEST(test_leftovers),
        TEST(test_all_or_nothing),
        TEST(test_damaged),
        cmocka_unit_test(test_days_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hub.db as a file: versions, damage, links, and what a transaction keeps. */
#include "unit/hub_store/fixture.h"

static void test_settings(void **state)
{
    struct fixture *f = *state;
    char *value = NULL;

    assert_int_equal(hub_setting_get(f->store, "organization", &value), 0);
    assert_null(value);
    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_setting_set(f->store, "organization", "松戸市"), 0);
    hub_store_rollback(f->store);
    assert_int_equal(hub_setting_get(f->store, "organization", &value), 0);
    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_setting_set(f->store, "organization", "松戸市"), 0);
    assert_int_equal(hub_setting_set(f->store, "organization", "柏市"), 0);
    assert_int_equal(hub_store_commit(f->store), 0);
    assert_int_equal(fixture_reopen(f), 0);
    assert_int_equal(hub_setting_get(f->store, "organization", &value), 1);
    assert_string_equal(value, "柏市");
    free(value);
    assert_int_equal(hub_store_check(f->store), 0);
}

static void test_made_once(void **state)
{
    struct fixture *f = *state;
    struct hub_store *other = NULL;
    struct stat st;

    assert_int_equal(hub_store_create(f->fd, 1, &other), -EEXIST);
    assert_null(other);
    assert_int_equal(fstatat(f->fd, "hub.db", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(fstatat(f->fd, "hub.db-wal", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
}

/* Who reads does not wait for who writes, and sees what was committed. */
static void test_two(void **state)
{
    struct fixture *f = *state;
    struct hub_store *other = NULL;
    char *value = NULL;

    assert_int_equal(hub_store_open(f->fd, 1, &other), 0);
    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_setting_set(f->store, "port", "4222"), 0);
    assert_int_equal(hub_setting_get(other, "port", &value), 0);
    assert_int_equal(hub_store_commit(f->store), 0);
    assert_int_equal(hub_setting_get(other, "port", &value), 1);
    assert_string_equal(value, "4222");
    free(value);
    other = hub_store_free(other);
}

static void test_missing(void **state)
{
    struct fixture *f = *state;

    f->store = hub_store_free(f->store);
    assert_int_equal(unlinkat(f->fd, "hub.db", 0), 0);
    assert_int_equal(fixture_reopen(f), -ENOENT);
    assert_int_equal(faccessat(f->fd, "hub.db", F_OK, 0), -1); /* nothing is made by looking */
}

static void test_later_version(void **state)
{
    struct fixture *f = *state;
    char sql[64];

    f->store = hub_store_free(f->store);
    (void)snprintf(sql, sizeof(sql), "INSERT INTO version VALUES(%d, 0)", HUB_STORE_VERSION + 1);
    fixture_change(f, sql);
    assert_int_equal(fixture_reopen(f), -EOPNOTSUPP);
}

/* What each version has added, taken away again. */
static const char *const undo[HUB_STORE_VERSION + 1] = {
    [2] = "DROP TABLE head; DROP TABLE policy;",
    [3] = "DROP INDEX terminal_by_serial; DROP INDEX terminal_by_host; DROP TABLE membership; DROP TABLE root;"
          "ALTER TABLE token DROP COLUMN approval; ALTER TABLE token DROP COLUMN misused;"
          "ALTER TABLE terminal DROP COLUMN host; ALTER TABLE terminal DROP COLUMN token;"
          "ALTER TABLE terminal DROP COLUMN approved; ALTER TABLE terminal DROP COLUMN successor;",
    [4] =
        "DROP TABLE chain; DROP TABLE batch; DROP TABLE term; DROP TABLE batch_term; DROP TABLE aside; DROP TABLE alarm;",
    [5] = "DROP TABLE rollout_terminal; DROP TABLE rollout; DROP TABLE report; DROP TABLE contact;"
          "DROP TABLE terminal_order; DROP TABLE move;",
};

/* Of version 1: brought up in one transaction, or left as it was. */
static void test_older_version(void **state)
{
    struct fixture *f = *state;
    char *value = NULL;

    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_setting_set(f->store, "organization", "松戸市"), 0);
    assert_int_equal(hub_store_commit(f->store), 0);
    f->store = hub_store_free(f->store);
    for (int version = HUB_STORE_VERSION; version > 1; version--)
        fixture_change(f, undo[version]);
    fixture_change(f, "DELETE FROM version WHERE number > 1; CREATE TABLE head(in_the_way INTEGER)");
    assert_true(fixture_reopen(f) < 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'policy'"), 0);
    assert_int_equal(fixture_ask(f, "SELECT max(number) FROM version"), 1);
    fixture_change(f, "DROP TABLE head");
    assert_int_equal(fixture_reopen(f), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM sqlite_schema WHERE name IN ('policy', 'head')"), 2);
    assert_int_equal(fixture_ask(f, "SELECT max(number) FROM version"), HUB_STORE_VERSION);
    assert_int_equal(hub_setting_get(f->store, "organization", &value), 1);
    assert_string_equal(value, "松戸市");
    free(value);
}

static void test_foreign(void **state)
{
    static const char *const changes[] = {
        "PRAGMA application_id=1",
        "PRAGMA application_id=1802007906; DELETE FROM version",
        "PRAGMA application_id=1802007906; DROP TABLE version",
    };
    struct fixture *f = *state;

    f->store = hub_store_free(f->store);
    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        fixture_change(f, changes[i]);
        assert_int_equal(fixture_reopen(f), -EUCLEAN);
    }
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    int fd;

    f->store = hub_store_free(f->store);
    fd = openat(f->fd, "hub.db", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "not a store at all", 18, 0), 18);
    (void)close(fd);
    assert_int_equal(fixture_reopen(f), -EUCLEAN);
}

static void test_cut(void **state)
{
    struct fixture *f = *state;
    char path[128];

    f->store = hub_store_free(f->store);
    (void)snprintf(path, sizeof(path), "%s/hub.db", f->path);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(fixture_reopen(f), -EUCLEAN);
}

/* Neither the file nor its log through a link, and not where others may read. */
static void test_links(void **state)
{
    struct fixture *f = *state;

    f->store = hub_store_free(f->store);
    assert_int_equal(symlinkat("/dev/null", f->fd, "hub.db-wal"), 0);
    assert_int_equal(fixture_reopen(f), -EUCLEAN);
    assert_int_equal(unlinkat(f->fd, "hub.db-wal", 0), 0);
    assert_int_equal(fixture_reopen(f), 0);
    f->store = hub_store_free(f->store);
    assert_int_equal(fchmodat(f->fd, "hub.db", 0640, 0), 0);
    assert_int_equal(fixture_reopen(f), -EUCLEAN);
    assert_int_equal(fchmodat(f->fd, "hub.db", 0600, 0), 0);
    assert_int_equal(renameat(f->fd, "hub.db", f->fd, "other"), 0);
    assert_int_equal(symlinkat("other", f->fd, "hub.db"), 0);
    assert_int_equal(fixture_reopen(f), -EUCLEAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settings, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_made_once, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_two, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_missing, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_later_version, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_older_version, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_foreign, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_damaged, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_cut, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_links, fixture_begin, fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

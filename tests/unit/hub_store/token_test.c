/* Tokens, groups and terminals: each token lets one terminal in, once, and nobody reads one out of the file. */
#include "unit/hub_store/fixture.h"

#include "hub/store/groups.h"
#include "hub/store/journal.h"
#include "hub/store/terminals.h"
#include "hub/store/tokens.h"

static int wish(struct fixture *f, const char *group, const char *serial, unsigned hours, uint64_t *ret_number,
                char ret[static HUB_TOKEN_TEXT_SIZE])
{
    const struct hub_token_wish w = {.group = group, .serial = serial, .hours = hours};

    return hub_token_create(f->store, &f->actor, &w, ret_number, ret);
}

static uint64_t make(struct fixture *f, const char *serial, char text[static HUB_TOKEN_TEXT_SIZE])
{
    uint64_t number = 0;

    if (hub_group_exists(f->store, "kazei") == 0)
        assert_int_equal(hub_group_create(f->store, &f->actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(wish(f, "kazei", serial, 72, &number, text), HUB_TOKEN_OK);
    assert_int_equal(strlen(text), HUB_TOKEN_TEXT_SIZE - 1);
    return number;
}

static int redeem(struct fixture *f, const char *text, const char *serial, int64_t later_us)
{
    struct hub_token t;
    int r;

    assert_int_equal(hub_store_begin(f->store), 0);
    r = hub_token_redeem(f->store, f->actor.now_us + later_us, text, serial, "t1", &t);
    assert_int_equal(hub_store_commit(f->store), 0);
    return r;
}

static void test_groups(void **state)
{
    static const char *const bad[] = {
        "",    "Kazei", "課税", "a.b",
        "a b", "*",     ">",    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(bad); i++)
        assert_int_equal(hub_group_create(f->store, &f->actor, bad[i]), HUB_GROUP_E_NAME);
    assert_int_equal(hub_group_create(f->store, &f->actor, "kazei-1"), HUB_GROUP_OK);
    assert_int_equal(hub_group_create(f->store, &f->actor, "kazei-1"), HUB_GROUP_E_EXISTS);
    assert_int_equal(hub_group_exists(f->store, "kazei-1"), 1);
    assert_int_equal(hub_group_exists(f->store, "kazei"), 0);
}

static void test_once(void **state)
{
    struct fixture *f = *state;
    char text[HUB_TOKEN_TEXT_SIZE], lower[HUB_TOKEN_TEXT_SIZE];

    (void)make(f, NULL, text);
    for (size_t i = 0; i < sizeof(text); i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i] == '-' ? ' ' : text[i]);
    assert_int_equal(redeem(f, "", NULL, 1), HUB_TOKEN_E_UNKNOWN);
    assert_int_equal(redeem(f, "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", NULL, 1), HUB_TOKEN_E_UNKNOWN);
    assert_int_equal(redeem(f, lower, "any", 1), HUB_TOKEN_OK);
    assert_int_equal(redeem(f, text, "any", 2), HUB_TOKEN_E_USED);
    assert_int_equal(fixture_reopen(f), 0);
    assert_int_equal(redeem(f, text, "any", 2), HUB_TOKEN_E_USED);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    char text[HUB_TOKEN_TEXT_SIZE], other[HUB_TOKEN_TEXT_SIZE];
    uint64_t number = make(f, "ABC-1", text), none = 0;

    assert_int_equal(redeem(f, text, NULL, 1), HUB_TOKEN_E_SERIAL);
    assert_int_equal(redeem(f, text, "ABC-2", 1), HUB_TOKEN_E_SERIAL);
    assert_int_equal(redeem(f, text, "ABC-1", 72 * HOUR_US), HUB_TOKEN_E_EXPIRED);
    assert_int_equal(redeem(f, text, "ABC-1", -1), HUB_TOKEN_E_EXPIRED);
    assert_int_equal(redeem(f, text, "ABC-1", 72 * HOUR_US - 1), HUB_TOKEN_OK);
    assert_int_equal(hub_token_revoke(f->store, &f->actor, number), HUB_TOKEN_E_UNKNOWN); /* it was used */
    number = make(f, NULL, other);
    assert_int_equal(hub_token_revoke(f->store, &f->actor, number), HUB_TOKEN_OK);
    assert_int_equal(hub_token_revoke(f->store, &f->actor, number), HUB_TOKEN_E_UNKNOWN);
    assert_int_equal(redeem(f, other, NULL, 1), HUB_TOKEN_E_REVOKED);
    assert_int_equal(wish(f, "juki", NULL, 1, &none, other), HUB_TOKEN_E_GROUP);
    assert_int_equal(wish(f, "kazei", NULL, 0, &none, other), HUB_TOKEN_E_HOURS);
    assert_int_equal(wish(f, "kazei", NULL, UINT32_MAX, &none, other), HUB_TOKEN_E_HOURS);
    assert_int_equal(wish(f, "kazei", "\x1b", 1, &none, other), HUB_TOKEN_E_SERIAL);
    assert_int_equal(none, 0);
}

/* What is taken back was not used: the terminal that was not stored can try again. */
static void test_rolled_back(void **state)
{
    struct fixture *f = *state;
    char text[HUB_TOKEN_TEXT_SIZE];
    struct hub_token t;

    (void)make(f, NULL, text);
    assert_int_equal(hub_token_redeem(f->store, f->actor.now_us, text, NULL, "t1", &t), -EINVAL); /* no transaction */
    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_token_redeem(f->store, f->actor.now_us, text, NULL, "t1", &t), HUB_TOKEN_OK);
    assert_string_equal(t.group, "kazei");
    hub_store_rollback(f->store);
    assert_int_equal(redeem(f, text, NULL, 1), HUB_TOKEN_OK);
}

static bool file_holds(struct fixture *f, const char *name, const char *text)
{
    static char bytes[1 << 20];
    int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));

    if (fd >= 0)
        (void)close(fd);
    return n > 0 && memmem(bytes, (size_t)n, text, strlen(text));
}

static void test_not_in_the_file(void **state)
{
    struct fixture *f = *state;
    char text[HUB_TOKEN_TEXT_SIZE], plain[HUB_TOKEN_TEXT_SIZE] = "";

    (void)make(f, "SERIAL-1", text);
    for (size_t i = 0; text[i]; i++)
        if (text[i] != '-')
            plain[strlen(plain)] = text[i];
    for (int closed = 0; closed < 2; closed++) {
        static const char *const names[] = {"hub.db", "hub.db-wal"};

        assert_true(file_holds(f, "hub.db", "SERIAL-1") || file_holds(f, "hub.db-wal", "SERIAL-1"));
        for (size_t i = 0; i < ELEMENTS(names); i++) {
            assert_false(file_holds(f, names[i], text));
            assert_false(file_holds(f, names[i], plain));
        }
        f->store = hub_store_free(f->store);
    }
}

static int count(void *context, const struct hub_terminal *t, const char *const *groups)
{
    assert_string_equal(t->id, "t1");
    assert_string_equal(t->name, "課税 7");
    assert_string_equal(groups[0], "kazei");
    assert_null(groups[1]);
    ++*(int *)context;
    return 0;
}

static int add(struct fixture *f, const char *id, const char *name, uint8_t key, const char *wire, const char *group)
{
    const uint8_t journal_key[NKEY_RAW_SIZE] = {key};
    struct hub_terminal t = {.enrolled_us = f->actor.now_us};
    int r;

    (void)snprintf(t.id, sizeof(t.id), "%s", id);
    (void)snprintf(t.name, sizeof(t.name), "%s", name);
    assert_int_equal(hub_store_begin(f->store), 0);
    r = hub_terminal_add(f->store, &f->actor, &t, journal_key, wire, group);
    if (r == HUB_TERMINAL_OK)
        assert_int_equal(hub_store_commit(f->store), 0);
    hub_store_rollback(f->store);
    return r;
}

static void test_terminals(void **state)
{
    struct fixture *f = *state;
    struct digest head;
    uint64_t seq = 0;
    int n = 0;

    assert_int_equal(hub_group_create(f->store, &f->actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(add(f, "t1", "課税 7", 1, "U1", "kazei"), HUB_TERMINAL_OK);
    assert_int_equal(add(f, "t1", "x", 2, "U2", "kazei"), HUB_TERMINAL_E_EXISTS);
    assert_int_equal(add(f, "t2", "x", 1, "U2", "kazei"), HUB_TERMINAL_E_EXISTS); /* another's key */
    assert_int_equal(add(f, "t2", "x", 2, "U1", "kazei"), HUB_TERMINAL_E_EXISTS);
    assert_int_equal(add(f, "t2", "x", 2, "U2", "juki"), HUB_TERMINAL_E_GROUP);
    assert_int_equal(add(f, "t2", "\n", 2, "U2", "kazei"), HUB_TERMINAL_E_NAME);
    assert_int_equal(hub_terminal_each(f->store, count, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(hub_journal_walk(f->store, NULL, NULL, &seq, &head), HUB_JOURNAL_WHOLE);
    assert_int_equal(seq, 2); /* what was refused is no record */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_once, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_refused, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_rolled_back, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_not_in_the_file, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_terminals, fixture_begin, fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

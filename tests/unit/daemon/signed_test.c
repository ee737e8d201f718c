/* Signed bundles and the unsigned file: which rules, across starts, and what is said when neither may. */
#include "unit/daemon/signed_fixture.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "ctl/server.h"
#include "daemon/console.h"
#include "decide/decide.h"
#include "policy/trust/trust.h"

static void expect(const struct rulebook *b, enum rulebook_source source, uint64_t version)
{
    assert_int_equal(rulebook_source(b), source);
    assert_int_equal(rulebook_policy(b)->version, version);
}

/* From the unsigned file to the signed bundle, and over a start each. */
static void test_the_way_in(void **state)
{
    const struct signed_place *p = *state;
    struct rulebook *b;

    signed_write_file(p, 7);
    b = signed_open(p, 0);
    expect(b, RULEBOOK_FILE, 7);
    assert_int_equal(trusted_condition(rulebook_trusted(b)), TRUSTED_NONE);
    assert_int_equal(signed_apply(b, p, 1, ""), TRUST_E_NO_ROOT);
    assert_int_equal(signed_install(b, p), 0);
    /* Nothing unsigned comes in from now on, a newer file included; what ruled rules on. */
    signed_write_file(p, 8);
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), RULEBOOK_E_UNSIGNED);
    assert_non_null(strstr(rulebook_complaint(b), "policy apply"));
    expect(b, RULEBOOK_LAST_GOOD, 7);
    (void)rulebook_free(b);
    b = signed_open(p, 0);
    expect(b, RULEBOOK_LAST_GOOD, 7);
    /* The versions of the file and of what is signed have nothing to do with each other. */
    assert_int_equal(signed_apply(b, p, 2, ""), 0);
    expect(b, RULEBOOK_SIGNED, 2);
    assert_non_null(strstr(rulebook_document(b), "name: signed"));
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), RULEBOOK_E_UNSIGNED);
    expect(b, RULEBOOK_SIGNED, 2);
    assert_int_equal(signed_install(b, p), -EEXIST);
    (void)rulebook_free(b);
    b = signed_open(p, 0);
    expect(b, RULEBOOK_SIGNED, 2);
    assert_ptr_equal(rulebook_before(b), rulebook_policy(b));
    /* Versions only rise, also after a start. */
    assert_int_equal(signed_apply(b, p, 1, ""), TRUST_E_ROLLBACK);
    assert_int_equal(signed_apply(b, p, 2, "mode: monitor\n"), TRUST_E_SAME_VERSION);
    assert_int_equal(signed_apply(b, p, 2, ""), 0); /* the same once more is no change */
    expect(b, RULEBOOK_SIGNED, 2);
    (void)rulebook_free(b);
}

static void test_refused_changes_nothing(void **state)
{
    const struct signed_place *p = *state;
    struct trust_complaint complaint = {0};
    struct rulebook *b;
    char *before = NULL, *after = NULL;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 2, ""), 0);
    assert_int_equal(files_read_text_at(p->fd, "trust.json", 1 << 20, &before), 0);
    assert_int_equal(signed_apply(b, p, 3, "scope: {groups: [hoken]}\n"), TRUST_E_SCOPE);
    assert_int_equal(signed_apply(b, p, 3, "valid: {until: 2026-12-31}\n"), TRUST_E_EXPIRED);
    assert_int_equal(signed_apply(b, p, 3, "valid: {from: 2027-04-01}\n"), TRUST_E_NOT_YET);
    assert_int_equal(signed_apply(b, p, 3, "nonsense: 1\n"), TRUST_E_POLICY);
    assert_int_equal(rulebook_apply(b, (const uint8_t *)"format: kuraban-policy/1\n", 25, SIGNED_NOW_US, &complaint),
                     TRUST_E_UNSIGNED);
    expect(b, RULEBOOK_SIGNED, 2);
    assert_int_equal(files_read_text_at(p->fd, "trust.json", 1 << 20, &after), 0);
    assert_string_equal(before, after);
    free(before);
    free(after);
    (void)rulebook_free(b);
}

/* A disk that takes nothing: the policy does not rule that would be gone after a start. */
static void test_not_stored_does_not_rule(void **state)
{
    const struct signed_place *p = *state;
    struct rulebook *b;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 2, ""), 0);
    /* A directory under its name cannot be renamed over. */
    assert_int_equal(unlinkat(p->fd, "trust.json", 0), 0);
    assert_int_equal(mkdirat(p->fd, "trust.json", 0700), 0);
    assert_true(signed_apply(b, p, 3, "") < 0);
    expect(b, RULEBOOK_SIGNED, 2);
    assert_int_equal(unlinkat(p->fd, "trust.json", AT_REMOVEDIR), 0);
    assert_int_equal(signed_apply(b, p, 3, ""), 0);
    (void)rulebook_free(b);
    b = signed_open(p, 0);
    expect(b, RULEBOOK_SIGNED, 3);
    (void)rulebook_free(b);
}

static void write_trust(const struct signed_place *p, const void *bytes, size_t size)
{
    assert_int_equal(files_write_atomic_at(p->fd, "trust.json", bytes, size, 0600), 0);
}

/* Missing, cut at any place, one byte changed: never the unsigned file, never the copy, never another's policy. */
static void test_damaged(void **state)
{
    const struct signed_place *p = *state;
    _cleanup_free_ uint8_t *good = NULL;
    struct rulebook *b;
    size_t size = 0;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 2, ""), 0);
    (void)rulebook_free(b);
    assert_int_equal(files_read_at(p->fd, "trust.json", 1 << 20, &good, &size), 0);
    assert_int_equal(unlinkat(p->fd, "trust.json", 0), 0);
    b = signed_open(p, RULEBOOK_E_UNSIGNED);
    expect(b, RULEBOOK_NONE, 0);
    assert_int_equal(trusted_condition(rulebook_trusted(b)), TRUSTED_DAMAGED);
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), RULEBOOK_E_UNSIGNED);
    assert_int_equal(signed_apply(b, p, 3, ""), TRUST_E_NO_ROOT);
    assert_int_equal(signed_install(b, p), -EEXIST); /* not over it: versions would begin anew */
    (void)rulebook_free(b);
    for (size_t i = 0; i < size - 1; i += 41) {
        _cleanup_free_ uint8_t *bad = malloc(size);

        assert_non_null(bad);
        memcpy(bad, good, size);
        bad[i] ^= 1;
        write_trust(p, i % 2 == 0 ? bad : good, i % 2 == 0 ? size : i);
        b = signed_open(p, RULEBOOK_E_UNSIGNED);
        expect(b, RULEBOOK_NONE, 0);
        (void)rulebook_free(b);
    }
    /* Damaged and without its marker is damaged all the same. */
    write_trust(p, good, size / 2);
    assert_int_equal(unlinkat(p->fd, "trust.installed", 0), 0);
    b = signed_open(p, RULEBOOK_E_UNSIGNED);
    expect(b, RULEBOOK_NONE, 0);
    (void)rulebook_free(b);
    /* Put back from a backup: as before, and the marker is there again. */
    write_trust(p, good, size);
    b = signed_open(p, 0);
    expect(b, RULEBOOK_SIGNED, 2);
    (void)rulebook_free(b);
    assert_int_equal(faccessat(p->fd, "trust.installed", F_OK, 0), 0);
}

/* Where nothing is permitted the stores that were known stay closed, to their own programs as well. */
static void test_damaged_keeps_stores(void **state)
{
    const struct signed_place *p = *state;
    static const char stores[] =
        "usb: [{id: all, allow: use}]\nstores:\n  - {id: juki, path: /srv/juki, class: 3B, monitor: true, "
        "programs: [{path: /usr/bin/client}]}\n";
    const struct policy *none;
    struct rulebook *b;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 2, stores), 0);
    (void)rulebook_free(b);
    write_trust(p, "", 0);
    for (int i = 0; i < 2; i++) { /* and after the next start as well */
        b = signed_open(p, RULEBOOK_E_UNSIGNED);
        expect(b, RULEBOOK_NONE, 0);
        none = rulebook_policy(b);
        assert_int_equal(none->n_usb, 0);
        assert_int_equal(none->n_stores, 1);
        assert_string_equal(none->stores[0].path, "/srv/juki");
        assert_int_equal(none->stores[0].n_programs, 0);
        assert_false(none->stores[0].monitor);
        (void)rulebook_free(b);
    }
    assert_int_equal(unlinkat(p->fd, "policy.last-good.yaml", 0), 0);
    b = signed_open(p, RULEBOOK_E_UNSIGNED);
    assert_int_equal(rulebook_policy(b)->n_stores, 0);
    (void)rulebook_free(b);
}

static void test_the_way_back(void **state)
{
    const struct signed_place *p = *state;
    struct rulebook *b;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(rulebook_remove(b), -ENOENT);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 5, ""), 0);
    assert_int_equal(unlink(p->file), 0);
    assert_int_equal(rulebook_remove(b), 0);
    /* Without a file what was signed rules on, unsigned now; then the file counts again. */
    expect(b, RULEBOOK_LAST_GOOD, 5);
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), RULEBOOK_E_REFUSED);
    expect(b, RULEBOOK_LAST_GOOD, 5);
    (void)rulebook_free(b);
    b = signed_open(p, RULEBOOK_E_REFUSED);
    expect(b, RULEBOOK_LAST_GOOD, 5);
    signed_write_file(p, 1);
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), 0);
    expect(b, RULEBOOK_FILE, 1);
    assert_int_equal(signed_install(b, p), 0);
    (void)rulebook_free(b);
    /* Out of the damage. */
    assert_int_equal(unlinkat(p->fd, "trust.json", 0), 0);
    b = signed_open(p, RULEBOOK_E_UNSIGNED);
    assert_int_equal(rulebook_remove(b), 0);
    assert_int_equal(rulebook_reload(b, SIGNED_NOW_US), 0);
    expect(b, RULEBOOK_FILE, 1);
    (void)rulebook_free(b);
}

/* A clock that is set back makes nothing that has ended valid again: time is not before the newest head. */
static void test_time_does_not_go_back(void **state)
{
    static const struct decide_interface storage = {.class_ = 8, .subclass = 6, .protocol = 0x50};
    const struct signed_place *p = *state;
    struct decide_usb_facts facts = {.serial = "A", .interfaces = &storage, .n_interfaces = 1};
    const int64_t issued = SIGNED_NOW_US + 40 * SIGNED_DAY_US;
    struct trust_complaint complaint = {0};
    struct verdict v = {0};
    struct policy *before;
    struct rulebook *b;
    uint8_t *head;
    size_t size = 0;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    assert_int_equal(signed_install(b, p), 0);
    assert_int_equal(signed_apply(b, p, 2, "usb: [{id: lent, allow: read, until: 2027-01-31}]\n"), 0);
    assert_int_equal(rulebook_policy(b)->not_before_us, 0);
    head = signed_head(p, 1, issued, &rulebook_policy(b)->sha256, 2, &size);
    before = policy_ref(rulebook_policy(b));
    assert_int_equal(rulebook_apply(b, head, size, issued, &complaint), 0); /* a head alone */
    assert_int_equal(before->not_before_us, 0);                             /* others may be reading it */
    (void)policy_unref(before);
    for (int start = 0; start < 2; start++) {
        assert_int_equal(rulebook_policy(b)->version, 2);
        assert_int_equal(rulebook_policy(b)->not_before_us, issued);
        assert_int_equal(rulebook_time(b, SIGNED_NOW_US), issued);
        assert_int_equal(rulebook_time(b, issued + 1), issued + 1);
        decide_time_local(SIGNED_NOW_US, &facts.now);
        decide_usb(rulebook_policy(b), &facts, &v);
        assert_int_equal(v.kind, VERDICT_ALLOW); /* so it would be by the clock */
        decide_time_not_before(&facts.now, rulebook_policy(b)->not_before_us);
        decide_usb(rulebook_policy(b), &facts, &v);
        assert_int_equal(v.reason, REASON_EXPIRED);
        (void)rulebook_free(b);
        b = signed_open_at(p, SIGNED_NOW_US);
    }
    (void)rulebook_free(b);
    free(head);
}

static void test_consoles(void **state)
{
    static const struct {
        unsigned major, minor;
        bool yes;
    } cases[] = {
        {0, 0, false},   {4, 0, false},    {4, 1, true},
        {4, 63, true},   {4, 64, true},    {5, 0, false}, /* /dev/tty */
        {5, 1, true},    {5, 2, false},    {136, 0, false},
        {136, 1, false}, {143, 9, false},  {188, 0, false}, /* ttyUSB0 */
        {204, 64, true}, {204, 63, false}, {229, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        if (console_is(makedev(cases[i].major, cases[i].minor)) != cases[i].yes)
            fail_msg("%u:%u", cases[i].major, cases[i].minor);
}

/* The terminal of the very process: a pidfd that has ended, and none, are nobody's console. */
static void test_console_of_a_peer(void **state)
{
    const struct signed_place *p = *state;
    struct ctl_peer peer = {.pid = 42, .pidfd = -1};
    _cleanup_close_ int ours = -1;
    int pipes[2];

    assert_int_equal(mkdirat(p->fd, "42", 0700), 0);
#define STAT(tty) "42 (ssh) vt) S 1 42 42 " tty " 42 0 1 0 0 0 "
    assert_int_equal(files_write_atomic_at(p->fd, "stat", STAT("1025"), sizeof(STAT("1025")) - 1, 0600), 0);
    assert_int_equal(renameat(p->fd, "stat", p->fd, "42/stat"), 0);
    assert_int_equal(console_check(p->fd, &peer), CONSOLE_E_GONE);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0); /* never readable, as the pidfd of who lives */
    ours = pipes[0];
    peer.pidfd = ours;
    assert_int_equal(console_check(p->fd, &peer), 0);
    assert_int_equal(files_write_atomic_at(p->fd, "stat", STAT("34816"), sizeof(STAT("34816")) - 1, 0600), 0);
    assert_int_equal(renameat(p->fd, "stat", p->fd, "42/stat"), 0);
    assert_int_equal(console_check(p->fd, &peer), CONSOLE_E_ELSEWHERE);
    peer.pid = 43;
    assert_true(console_check(p->fd, &peer) < 0);
    peer.pid = 42;
    assert_int_equal(close(pipes[1]), 0); /* readable: the process has ended */
    assert_int_equal(console_check(p->fd, &peer), CONSOLE_E_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_way_in, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_refused_changes_nothing, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_not_stored_does_not_rule, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_keeps_stores, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_the_way_back, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_console_of_a_peer, signed_setup, signed_teardown),
        cmocka_unit_test_setup_teardown(test_time_does_not_go_back, signed_setup, signed_teardown),
        cmocka_unit_test(test_consoles),
    };

    if (geteuid() != 0) {
        (void)printf("SKIP: needs root, whose file the policy must be\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

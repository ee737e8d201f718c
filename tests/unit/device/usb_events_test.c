/* Things that change under the manager: claims, names, missed and repeated events, other people's writes. */
#include "test.h"

#include "device/usb.h"

#include <sys/stat.h>

#include "unit/device/usb_fixture.h"

/* The BadUSB: a permitted stick that becomes a keyboard when it is given power. */
static void become_keyboard(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                            const char *value)
{
    struct fake_device other = STICK;
    uint8_t bytes[256];

    if (interface || strcmp(attribute, "authorized") != 0 || strcmp(value, "1") != 0)
        return;
    other.interfaces[0] = (struct fake_interface){0, 0, 3, 1, 1};
    fake_usb_set_bytes(f, name, "descriptors", bytes, fake_usb_descriptors(&other, bytes));
}

static void change_serial(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                          const char *value)
{
    if (!interface && strcmp(attribute, "authorized") == 0 && strcmp(value, "1") == 0)
        fake_usb_set(f, name, NULL, "serial", "S2");
}

static void change_at_authorization(void **state)
{
    static void (*const changes[])(struct fake_usb *, const char *, const char *, const char *,
                                   const char *) = {become_keyboard, change_serial};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        struct fixture_policy p;
        _fixture_ x = fixture_started(fixture_policy(&p));

        x->bus.written = changes[i];
        fixture_plug(x, &STICK);
        assert_false(fixture_authorized(x, "1-2"));
        assert_int_equal(x->bus.probes, 0); /* no driver ever saw it */
        assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 1);
        assert_int_equal(usb_device_verdict(fixture_device(x, "1-2"))->kind, VERDICT_DENY);

        /* The echo of our own writes, a new policy, the clock: it stays refused until it is plugged in again. */
        fixture_event(x, "1-2");
        usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
        usb_manager_tick(x->m, FIXTURE_NOW);
        assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
        assert_false(fixture_authorized(x, "1-2"));
        assert_int_equal(x->bus.probes, 0);

        x->bus.written = NULL;
        fixture_unplug(x, "1-2");
        fixture_plug(x, &STICK);
        assert_true(fixture_authorized(x, "1-2"));
    }
}

static void change_while_plugged_in(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    fake_usb_set(&x->bus, "1-2", NULL, "serial", "S9");
    fixture_event(x, "1-2");
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 1);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_APPEARED, "1-2"), 2);
    assert_string_equal(usb_device_serial(fixture_device(x, "1-2")), "S9");

    fixture_plug(x, &KEYBOARD);
    fake_usb_set(&x->bus, "1-1", NULL, "devnum", "99");
    fixture_event(x, "1-1");
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_int_equal(usb_device_number(fixture_device(x, "1-1")), 99);
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_APPEARED, "1-1"), 2);
}

/* Another identity that is permitted as well still goes through a closed state, so that drivers start anew. */
static void change_to_something_permitted(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    unsigned probes;

    (void)state;
    fixture_plug(x, &KEYBOARD);
    probes = x->bus.probes;
    fake_usb_set(&x->bus, "1-1", NULL, "product", "Another Keyboard");
    fixture_event(x, "1-1");
    assert_int_equal(x->bus.probes, probes + 2);
    assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    assert_string_equal(usb_device_name(fixture_device(x, "1-1")), "Another Keyboard");
}

/* An interface, or a configuration, that the descriptors do not tell of. */
static void undescribed_interface_stays_closed(void **state)
{
    static const char *const interfaces[] = {"1-1:1.7", "1-1:2.0"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(interfaces); i++) {
        struct fixture_policy p;
        _fixture_ x = fixture_started(fixture_policy(&p));
        char path[512];

        fixture_plug(x, &KEYBOARD);
        (void)snprintf(path, sizeof(path), "%s/%s", usb_device_path(fixture_device(x, "1-1")), interfaces[i]);
        assert_int_equal(mkdirat(x->bus.root_fd, path, 0755), 0);
        fake_usb_set(&x->bus, "1-1", interfaces[i], "authorized", "0");
        fixture_event(x, interfaces[i]);
        usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
        assert_string_equal(fake_usb_get(&x->bus, "1-1", interfaces[i], "authorized"), "0");
        fake_usb_write(&x->bus, "1-1", interfaces[i], "authorized", "1");
        fixture_event(x, interfaces[i]);
        assert_string_equal(fake_usb_get(&x->bus, "1-1", interfaces[i], "authorized"), "0");
        assert_true(fake_usb_bound(&x->bus, "1-1:1.0"));
    }
}

static void own_writes_do_not_echo(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    unsigned writes, probes;
    size_t n;

    (void)state;
    fixture_plug(x, &STICK);
    fixture_plug(x, &COMPOSITE);
    fixture_plug(x, &STRANGER);
    writes = x->bus.writes;
    probes = x->bus.probes;
    n = x->n;
    for (int i = 0; i < 3; i++) {
        fixture_event(x, "1-2");
        fixture_event(x, "1-2:1.0");
        fixture_event(x, "1-3");
        fixture_event(x, "1-4");
        fixture_event(x, "1-4:1.0");
        fixture_event(x, "usb1");
        fixture_event(x, "1-0:1.0");
    }
    assert_int_equal(x->bus.writes, writes);
    assert_int_equal(x->bus.probes, probes);
    assert_int_equal(x->n, n);
}

static void meddling_is_undone_with_alarm(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STRANGER);
    fake_usb_write(&x->bus, "1-3", NULL, "authorized", "1");
    fixture_event(x, "1-3");
    assert_false(fixture_authorized(x, "1-3"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-3"), 1);

    fixture_plug(x, &COMPOSITE);
    fake_usb_write(&x->bus, "1-4", "1-4:1.0", "authorized", "1");
    fake_usb_set(&x->bus, "1-4", "1-4:1.0", "bound", "yes");
    fixture_event(x, "1-4:1.0"); /* `bind` */
    assert_false(fake_usb_bound(&x->bus, "1-4:1.0"));
    assert_true(fake_usb_bound(&x->bus, "1-4:1.1"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-4"), 1);

    fake_usb_set(&x->bus, "usb1", NULL, "authorized_default", "1");
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
    assert_string_equal(fake_usb_get(&x->bus, "usb1", NULL, "authorized_default"), "0");
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, ""), 1);
}

static void closing_by_others_is_left(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    fake_usb_write(&x->bus, "1-2", NULL, "authorized", "0");
    fixture_event(x, "1-2");
    fixture_event(x, "1-2");
    usb_manager_tick(x->m, FIXTURE_NOW);
    assert_false(fixture_authorized(x, "1-2"));
    assert_false(usb_device_authorized(fixture_device(x, "1-2")));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, "1-2"), 1);
    fake_usb_write(&x->bus, "1-2", NULL, "authorized", "1"); /* interfaces are new and closed */
    fixture_event(x, "1-2");
    assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
}

/* A dock, a resume, a reset: the same device under the same or another name. */
static void coming_back_keeps_decisions(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device elsewhere = STICK;
    char hash[DIGEST_HEX_SIZE];

    (void)state;
    fixture_plug(x, &STICK);
    memcpy(hash, usb_device_hash(fixture_device(x, "1-2")), sizeof(hash));
    for (int i = 0; i < 3; i++) {
        fixture_unplug(x, "1-2");
        assert_null(usb_manager_find(x->m, "1-2"));
        fixture_plug(x, &STICK);
        assert_true(fake_usb_bound(&x->bus, "1-2:1.0"));
        assert_string_equal(usb_device_hash(fixture_device(x, "1-2")), hash);
    }
    /* At another port, told of before its removal from the old one. */
    p.rules[RULE_STICK].unique_serial = true;
    elsewhere.name = "1-8";
    fake_usb_unplug(&x->bus, "1-2");
    fixture_plug(x, &elsewhere);
    fixture_event(x, "1-2");
    assert_true(fake_usb_bound(&x->bus, "1-8:1.0"));
    assert_false(usb_device_duplicate(fixture_device(x, "1-8")));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_CHANGED, NULL), 0);
    assert_int_equal(usb_manager_count(x->m), 1);
}

/* Removal and arrival were both missed or are told late: another device sits under the name. */
static void name_taken_by_another(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device other = STRANGER;

    (void)state;
    fixture_plug(x, &STICK);
    other.name = "1-2";
    fake_usb_unplug(&x->bus, "1-2");
    fake_usb_plug(&x->bus, &other);
    fixture_event(x, "1-2"); /* the stale `remove` */
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_REMOVED, "1-2"), 1);
    assert_int_equal(usb_device_vendor(fixture_device(x, "1-2")), 0xdead);
    assert_false(fixture_authorized(x, "1-2"));
    fixture_event(x, "1-2"); /* the late `add` */
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_APPEARED, "1-2"), 2);
}

static void lost_events_are_made_up_for(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device other = STICK;

    (void)state;
    fixture_plug(x, &KEYBOARD);
    fixture_plug(x, &STICK);
    fixture_plug(x, &STRANGER);
    /* Unseen: the keyboard goes, the stick becomes another at its port, one comes, one is opened, a controller comes. */
    fake_usb_unplug(&x->bus, "1-1");
    fake_usb_unplug(&x->bus, "1-2");
    other.serial = "S7";
    fake_usb_plug(&x->bus, &other);
    other.serial = "S1";
    other.name = "1-9";
    fake_usb_plug(&x->bus, &other);
    fake_usb_write(&x->bus, "1-3", NULL, "authorized", "1");
    fake_usb_add_root_hub(&x->bus, "usb2", "0000:03:00.0");
    assert_int_equal(usb_manager_events_lost(x->m, FIXTURE_NOW), 0);

    assert_int_equal(fixture_count(x, AUDIT_USB_EVENTS_LOST, ""), 1);
    assert_null(usb_manager_find(x->m, "1-1"));
    assert_false(fixture_authorized(x, "1-2"));
    assert_string_equal(usb_device_serial(fixture_device(x, "1-2")), "S7");
    assert_true(fake_usb_bound(&x->bus, "1-9:1.0"));
    assert_false(fixture_authorized(x, "1-3"));
    assert_int_equal(usb_manager_hubs(x->m), 2);
    assert_string_equal(fake_usb_get(&x->bus, "usb2", NULL, "authorized_default"), "0");
    assert_false(usb_device_present_at_start(fixture_device(x, "1-9")));
}

/* The kernel tells of a root hub before it makes its interface, and by then our default counts. */
static void root_hub_that_comes_slowly(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fake_usb_add_root_hub(&x->bus, "usb3", "dummy_hcd.0");
    assert_int_equal(usb_manager_event(x->m, "usb3", FIXTURE_NOW), 0);
    assert_string_equal(fake_usb_get(&x->bus, "usb3", NULL, "interface_authorized_default"), "0");
    fake_usb_set(&x->bus, "usb3", "3-0:1.0", "authorized", "0");
    fake_usb_set(&x->bus, "usb3", "3-0:1.0", "bound", "no");
    assert_int_equal(usb_manager_event(x->m, "3-0:1.0", FIXTURE_NOW), 0);
    assert_string_equal(fake_usb_get(&x->bus, "usb3", "3-0:1.0", "authorized"), "1");
    assert_true(fake_usb_bound(&x->bus, "3-0:1.0"));
    /* Left so by a daemon that died in between. */
    fake_usb_set(&x->bus, "usb3", "3-0:1.0", "authorized", "0");
    fake_usb_set(&x->bus, "usb3", "3-0:1.0", "bound", "no");
    assert_int_equal(usb_manager_start(x->m, FIXTURE_NOW), 0);
    assert_true(fake_usb_bound(&x->bus, "3-0:1.0"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, ""), 0);
}

static void hub_and_what_hangs_on_it(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device behind = STICK;

    (void)state;
    behind.name = "1-5.3";
    fixture_plug(x, &HUB);
    fixture_plug(x, &behind);
    assert_true(fake_usb_bound(&x->bus, "1-5.3:1.0"));
    assert_string_equal(usb_device_parent_hash(fixture_device(x, "1-5.3")), usb_device_hash(fixture_device(x, "1-5")));
    assert_string_equal(usb_device_connect_type(fixture_device(x, "1-5.3")), "hotplug");
    /* The hub is refused: what hangs on it vanishes. */
    p.rules[RULE_HUBS].allow = POLICY_REFUSE;
    usb_manager_set_policy(x->m, &p.policy, FIXTURE_NOW);
    assert_false(fake_usb_exists(&x->bus, "1-5.3"));
    assert_int_equal(usb_manager_rescan(x->m, FIXTURE_NOW), 0);
    assert_int_equal(usb_manager_count(x->m), 1);
}

static void owner_of_a_block_device(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));
    struct fake_device behind = STICK;
    char path[512], device[400];

    (void)state;
    behind.name = "1-5.3";
    fixture_plug(x, &HUB);
    fixture_plug(x, &behind);
    fake_usb_syspath("1-5.3", device, sizeof(device));
    (void)snprintf(path, sizeof(path), "%s/1-5.3:1.0/host0/target0:0:0/0:0:0:0/block/sda/sda1", device);
    assert_ptr_equal(usb_manager_find_owner(x->m, path), fixture_device(x, "1-5.3"));
    assert_ptr_equal(usb_manager_find_owner(x->m, path + strlen("/sys/")), fixture_device(x, "1-5.3"));
    /* As exit_info tells it: the device itself, below "/devices". */
    strstr(path, "/1-5.3:")[0] = '\0';
    assert_ptr_equal(usb_manager_find_owner(x->m, path + strlen("/sys")), fixture_device(x, "1-5.3"));
    /* Not yet known behind the same hub: it must not inherit the hub's verdict. */
    fake_usb_syspath("1-5.4", device, sizeof(device));
    (void)snprintf(path, sizeof(path), "%s/1-5.4:1.0/host0/block/sda", device);
    assert_null(usb_manager_find_owner(x->m, path));
    assert_null(usb_manager_find_owner(x->m, "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/block/sda"));
    assert_null(usb_manager_find_owner(x->m, "/sys"));
    assert_null(usb_manager_find_owner(x->m, ""));
}

static void odd_names_are_ignored(void **state)
{
    static const char *const names[] = {"",     "usb",   "usbx",     "1-", "-1",     "1-2.",
                                        "1-2:", "1-2:1", "1-2:1.0x", "..", "1-2/..", "ep_00"};
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    for (size_t i = 0; i < ELEMENTS(names); i++)
        fixture_event(x, names[i]);
    fixture_event(x, "1-77"); /* well-formed, not there */
    assert_int_equal(x->n, 0);
    assert_int_equal(usb_manager_count(x->m), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_at_authorization),       cmocka_unit_test(change_while_plugged_in),
        cmocka_unit_test(change_to_something_permitted), cmocka_unit_test(undescribed_interface_stays_closed),
        cmocka_unit_test(own_writes_do_not_echo),        cmocka_unit_test(meddling_is_undone_with_alarm),
        cmocka_unit_test(closing_by_others_is_left),     cmocka_unit_test(coming_back_keeps_decisions),
        cmocka_unit_test(name_taken_by_another),         cmocka_unit_test(lost_events_are_made_up_for),
        cmocka_unit_test(root_hub_that_comes_slowly),    cmocka_unit_test(hub_and_what_hangs_on_it),
        cmocka_unit_test(owner_of_a_block_device),       cmocka_unit_test(odd_names_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

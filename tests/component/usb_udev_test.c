/*
 * kern/udev against the real kernel: uevents of /dev/null's device, asked for by writing to its `uevent` file. Needs root and
 * a sysfs that may be written; there is no other way to make the kernel send one without hardware.
 */
#include "test.h"

#include "kern/udev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define UEVENT_FILE "/sys/devices/virtual/mem/null/uevent"

enum {
    DEADLINE_MS = 5000
};

DEFINE_CLEANUP(struct udev_source *, udev_source_free);

static const struct udev_filter MEM = {.subsystem = "mem"};

static void ask_for_event(void)
{
    _cleanup_close_ int fd = open(UEVENT_FILE, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "change", 6), 6);
}

/* The next outcome that is not "nothing waits", or UDEV_E_NONE when the deadline has passed. */
static int wait_for(struct udev_source *s, struct udev_event *e)
{
    struct pollfd p = {.fd = udev_source_fd(s), .events = POLLIN};

    while (poll(&p, 1, DEADLINE_MS) > 0) {
        int r = udev_source_receive(s, e);

        if (r != UDEV_E_NONE)
            return r;
    }
    return UDEV_E_NONE;
}

static void an_event_arrives(void **state)
{
    _cleanup_(udev_source_freep) struct udev_source *s = NULL;
    struct udev_event e = {0};

    (void)state;
    assert_int_equal(udev_source_new(UDEV_STAGE_KERNEL, &MEM, 1, 0, &s), 0);
    assert_true(udev_source_buffer(s) >= UDEV_BUFFER_MIN);
    printf("receive buffer: %d bytes\n", udev_source_buffer(s));
    ask_for_event();
    assert_int_equal(wait_for(s, &e), 0);
    assert_string_equal(e.action, "change");
    assert_string_equal(e.subsystem, "mem");
    assert_string_equal(e.sysname, "null");
    assert_string_equal(e.syspath, "/sys/devices/virtual/mem/null");
    assert_string_equal(e.devnode, "/dev/null");
    assert_null(e.devtype);
    assert_string_equal(udev_event_property(&e, "DEVNAME"), "/dev/null");
    assert_null(udev_event_property(&e, "NO_SUCH"));
    udev_event_done(&e);
    assert_null(e.action);
    assert_int_equal(udev_source_receive(s, &e), UDEV_E_NONE);
}

static void other_subsystems_are_filtered(void **state)
{
    static const struct udev_filter usb[] = {{.subsystem = "usb", .devtype = "usb_device"}, {.subsystem = "block"}};
    _cleanup_(udev_source_freep) struct udev_source *s = NULL, *all = NULL;
    struct udev_event e = {0};

    (void)state;
    assert_int_equal(udev_source_new(UDEV_STAGE_KERNEL, usb, ELEMENTS(usb), 0, &s), 0);
    assert_int_equal(udev_source_new(UDEV_STAGE_KERNEL, NULL, 0, 0, &all), 0);
    ask_for_event();
    assert_int_equal(wait_for(all, &e), 0); /* by now the other socket has it too */
    udev_event_done(&e);
    assert_int_equal(udev_source_receive(s, &e), UDEV_E_NONE);
}

static void lost_events_are_an_outcome(void **state)
{
    _cleanup_(udev_source_freep) struct udev_source *s = NULL;
    struct udev_event e = {0};
    unsigned events = 0, lost = 0;
    int r;

    (void)state;
    assert_int_equal(udev_source_new(UDEV_STAGE_KERNEL, &MEM, 1, 4096, &s), 0);
    assert_true(udev_source_buffer(s) < UDEV_BUFFER_MIN);
    for (unsigned i = 0; i < 200; i++)
        ask_for_event();
    while ((r = udev_source_receive(s, &e)) != UDEV_E_NONE) {
        assert_true(r == 0 || r == UDEV_E_LOST);
        events += r == 0;
        lost += r == UDEV_E_LOST;
        udev_event_done(&e);
    }
    assert_true(lost > 0);
    assert_true(events < 200);
    /* And it carries on. */
    ask_for_event();
    assert_int_equal(wait_for(s, &e), 0);
    udev_event_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_arrives),
        cmocka_unit_test(other_subsystems_are_filtered),
        cmocka_unit_test(lost_events_are_an_outcome),
    };

    if (access(UEVENT_FILE, W_OK) < 0) {
        printf("SKIP: %s cannot be written: %s\n", UEVENT_FILE, strerror(errno));
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "device/block.h"
#include "fake/sysfs_block.h"

/* A manager of media over a made-up tree, with a loop device and a system disk in it. For tests/unit/device/block*_test.c. */

#define USB "/devices/pci0/usb1/1-2"
#define STICK USB "/host2/block/sdb"
#define LOOP "/devices/virtual/block/loop7"

/* The manager with everything it talks to, and what it reported. */
struct fixture {
    struct fake_block f;
    struct block_manager *b;
    struct policy policy;
    struct policy_medium_rule rule;
    struct policy_usb_rule stick;
    const char *usb_rule;
    unsigned reports[5], changed;
    char last[EXIT_ID_SIZE];
    struct verdict verdict;               /* of the last DECIDED */
    const char *usb_grant, *medium_grant; /* rules unlocked for 1001 and 1002; the medium is sdb1-5 */
    char rule_id[64];
    const char *held; /* id of a medium */
};

static inline void fixture_on_report(void *context, enum block_report what, const struct medium *m, const char *message)
{
    struct fixture *x = context;

    (void)message;
    x->reports[what]++;
    (void)snprintf(x->last, sizeof(x->last), "%s", m ? m->id : "");
    if (what == BLOCK_REPORT_DECIDED) {
        x->verdict = m->verdict;
        (void)snprintf(x->rule_id, sizeof(x->rule_id), "%s", m->verdict.rule);
    }
}

static inline const char *fixture_on_usb_rule(void *context, const char *syspath)
{
    struct fixture *x = context;

    return strcmp(syspath, USB) == 0 ? x->usb_rule : NULL;
}

static inline bool fixture_on_granted(void *context, const struct medium *m, bool usb, const char *rule,
                                      uid_t *ret_holder)
{
    const struct fixture *x = context;
    const char *grant = usb ? x->usb_grant : x->medium_grant;

    *ret_holder = usb ? 1001 : 1002;
    return grant && strcmp(grant, rule) == 0 && (usb ? strcmp(m->usb, USB) == 0 : strcmp(m->id, "sdb1-5") == 0);
}

static inline bool fixture_on_held(void *context, const struct medium *m)
{
    const struct fixture *x = context;

    return x->held && strcmp(m->id, x->held) == 0;
}

static inline void fixture_on_changed(void *context, int64_t wall_us)
{
    struct fixture *x = context;

    (void)wall_us;
    x->changed++;
}

static inline void fixture_start(struct fixture *x, enum exit_mode mode, const char *const *exits, size_t n)
{
    const struct block_manager_config config = {.mode = mode,
                                                .sysfs = x->f.sysfs,
                                                .proc = x->f.proc,
                                                .run = x->f.run,
                                                .state = x->f.state,
                                                .ops = x->f.ops,
                                                .exits = exits,
                                                .n_exits = n,
                                                .usb_rule_of = fixture_on_usb_rule,
                                                .granted = fixture_on_granted,
                                                .held = fixture_on_held,
                                                .report = fixture_on_report,
                                                .context = x};

    assert_int_equal(block_manager_new(&config, &x->policy, 1, &x->b), 0);
    block_manager_listen(x->b, fixture_on_changed, x);
}

static inline int fixture_setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    fake_block_init(&x->f);
    fake_block_subsystem(&x->f, "/devices/pci0/usb1", "usb");
    fake_block_subsystem(&x->f, USB, "usb");
    fake_block_disk(&x->f, LOOP, "7:7", 100, "0\n");
    fake_block_disk(&x->f, "/devices/pci0/ata1/block/sda", "8:0", 100, "0\n");
    /* Loop devices may be read; sticks when the rule that authorized them allows. */
    x->rule = (struct policy_medium_rule){.id = (char *)(uintptr_t) "loops", .allow = POLICY_READ};
    x->stick = (struct policy_usb_rule){.id = (char *)(uintptr_t) "stick", .allow = POLICY_READ};
    x->policy = (struct policy){.refs = 1, .usb = &x->stick, .n_usb = 1};
    x->policy.media.rules = &x->rule;
    x->policy.media.n_rules = 1;
    x->usb_rule = "stick";
    *state = x;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *x = *state;

    block_manager_free(x->b);
    assert_int_equal(x->policy.refs, 1);
    fake_block_done(&x->f);
    free(x);
    return 0;
}

static inline void fixture_plug(struct fixture *x, const char *diskseq)
{
    fake_block_disk(&x->f, STICK, "8:16", 2000, "1\n");
    fake_block_set(&x->f, STICK "/diskseq", diskseq);
    fake_block_partition(&x->f, STICK, "sdb1", "8:17", 1900);
    (void)snprintf(fake_block_properties(&x->f, "sdb1")->filesystem, BLOCK_TEXT_SIZE, "vfat");
    assert_int_equal(block_manager_event(x->b, "add", "sdb", 1), 0);
    assert_int_equal(block_manager_event(x->b, "add", "sdb1", 1), 0);
}

static inline const struct medium *fixture_medium(struct fixture *x, unsigned major_, unsigned minor_)
{
    return block_manager_find(x->b, makedev(major_, minor_));
}

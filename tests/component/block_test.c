/*
 * Media against the real kernel: loop devices with ext4 in a private mount namespace. Only the loop devices made here are
 * touched. What the kernel does with the read-only flag is asserted as well, because the design rests on it.
 */
#include "device/block.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/mount.h"
#include "export/medium.h"
#include "fake/sysfs_block.h"

enum {
    IMAGE_SIZE = 8 << 20
};

struct fixture {
    char dir[64], image[96], point[96], node[32], name[16];
    int sysfs, dev, proc, run, loop;
    struct block_kernel block_kernel;
    struct mount_kernel mount_kernel;
    struct block_manager *b;
    struct mount_manager *mm;
    struct policy policy;
    struct policy_medium_rule rule;
    unsigned block_reports[4], mount_reports[4], guarded;
    dev_t guarded_device;
};

static void on_block(void *context, enum block_report what, const struct medium *m, const char *message)
{
    struct fixture *x = context;

    (void)m;
    (void)message;
    x->block_reports[what]++;
}

static void on_mount(void *context, enum mount_report what, const struct mount_entry *e, pid_t pid,
                     const struct medium *m, const struct verdict *v, const char *message)
{
    struct fixture *x = context;

    (void)e;
    (void)pid;
    (void)m;
    (void)v;
    (void)message;
    x->mount_reports[what]++;
}

static int on_guard(void *context, int fd, dev_t device, const struct medium *m)
{
    struct fixture *x = context;
    struct stat st;

    (void)m;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    x->guarded_device = st.st_dev;
    assert_int_equal(st.st_dev, device);
    x->guarded++;
    return 0;
}

static void on_unguard(void *context, dev_t device)
{
    (void)context;
    (void)device;
}

static void command(const char *words, const char *argument)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "PATH=$PATH:/usr/sbin:/sbin %s '%s'", words, argument);
    assert_int_equal(system(text), 0);
}

static void attach(struct fixture *x, unsigned flags)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        int image = open(x->image, O_RDWR | O_CLOEXEC), number;
        struct loop_config config = {.fd = (unsigned)image, .info.lo_flags = flags};

        assert_true(control >= 0 && image >= 0);
        number = ioctl(control, LOOP_CTL_GET_FREE);
        assert_true(number >= 0);
        (void)snprintf(x->name, sizeof(x->name), "loop%d", number);
        (void)snprintf(x->node, sizeof(x->node), "/dev/loop%d", number);
        x->loop = open(x->node, O_RDWR | O_CLOEXEC);
        assert_true(x->loop >= 0);
        number = ioctl(x->loop, LOOP_CONFIGURE, &config);
        close(control);
        close(image);
        if (number == 0)
            return;
        assert_int_equal(errno, EBUSY); /* somebody else was faster */
        close(x->loop);
    }
    fail_msg("no free loop device");
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    int image;

    assert_non_null(x);
    (void)snprintf(x->dir, sizeof(x->dir), "/tmp/kuraban-media-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    (void)snprintf(x->image, sizeof(x->image), "%s/image", x->dir);
    (void)snprintf(x->point, sizeof(x->point), "%s/mnt point", x->dir);
    assert_int_equal(mkdir(x->point, 0755), 0);
    image = open(x->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(image >= 0);
    assert_int_equal(ftruncate(image, IMAGE_SIZE), 0);
    close(image);
    x->loop = -1;
    x->sysfs = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->run = open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->rule = (struct policy_medium_rule){.id = (char *)(uintptr_t) "loops", .allow = POLICY_READ};
    x->policy = (struct policy){.refs = 1};
    x->policy.media.rules = &x->rule;
    x->policy.media.n_rules = 1;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    char text[160];

    mount_manager_free(x->mm);
    if (x->b)
        assert_int_equal(block_manager_release(x->b), 0);
    block_manager_free(x->b);
    while (umount2(x->point, MNT_DETACH) == 0)
        ;
    if (x->loop >= 0) {
        int zero = 0;

        (void)ioctl(x->loop, BLKROSET, &zero);
        (void)ioctl(x->loop, LOOP_CLR_FD);
        close(x->loop);
    }
    close(x->sysfs);
    close(x->dev);
    close(x->proc);
    close(x->run);
    (void)snprintf(text, sizeof(text), "rm -rf --one-file-system '%s'", x->dir);
    assert_int_equal(system(text), 0);
    free(x);
    return 0;
}

static void start(struct fixture *x)
{
    const char *exits[] = {x->node};
    struct block_manager_config block = {.mode = EXIT_MODE_LISTED,
                                         .sysfs = x->sysfs,
                                         .proc = x->proc,
                                         .run = x->run,
                                         .state = -1,
                                         .exits = exits,
                                         .n_exits = 1,
                                         .report = on_block,
                                         .context = x};
    struct mount_manager_config mounts = {
        .proc = x->proc, .guard = on_guard, .unguard = on_unguard, .report = on_mount, .context = x};

    x->block_kernel = (struct block_kernel){.sysfs = x->sysfs, .dev = x->dev};
    x->mount_kernel = (struct mount_kernel){.proc = x->proc};
    block_ops_kernel(&x->block_kernel, &block.ops);
    mount_ops_kernel(&x->mount_kernel, &mounts.ops);
    assert_int_equal(block_manager_new(&block, &x->policy, 1, &x->b), 0);
    mounts.block = x->b;
    assert_int_equal(mount_manager_new(&mounts, 1, &x->mm), 0);
}

static void make_stick(struct fixture *x)
{
    command("mkfs.ext4 -q -O ^has_journal", x->image);
    attach(x, 0);
}

static int write_file(const struct fixture *x)
{
    char path[160];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/file", x->point);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, "x", 1) != 1)
        fail();
    return fd;
}

static int raw_write(const struct fixture *x)
{
    int fd = open(x->node, O_RDWR | O_CLOEXEC);
    char sector[512] = "data that should not leave";
    int r = 0;

    if (fd < 0)
        return -errno;
    if (pwrite(fd, sector, sizeof(sector), 0) < 0)
        r = -errno;
    close(fd);
    return r;
}

static bool is_mounted(const struct fixture *x)
{
    struct mount_table t;
    bool found = false;

    assert_int_equal(mount_table_read(x->proc, "self/mountinfo", &t), 0);
    for (size_t i = 0; i < t.n; i++)
        found = found || strcmp(t.items[i].point, x->point) == 0;
    mount_table_done(&t);
    return found;
}

static void test_nothing_is_written(void **state)
{
    struct fixture *x = *state;
    const struct medium *m;

    make_stick(x);
    assert_int_equal(raw_write(x), 0); /* before: it can fail */
    start(x);
    assert_int_equal(block_manager_count(x->b), 1);
    m = block_manager_at(x->b, 0);
    assert_true(m->read_only);
    assert_int_equal(m->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(m->bus, EXIT_BUS_LOOP);
    assert_int_equal(m->capacity, IMAGE_SIZE);
    assert_int_equal(raw_write(x), -EPERM);
    assert_int_equal(mount(x->node, x->point, "ext4", 0, NULL), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(mount(x->node, x->point, "ext4", MS_RDONLY, NULL), 0);
    assert_int_equal(write_file(x), -EROFS);
    assert_int_equal(mount(NULL, x->point, NULL, MS_REMOUNT, NULL), -1);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->guarded, 1);
    assert_true(is_mounted(x));
    assert_string_equal(block_manager_at(x->b, 0)->filesystem, "ext4");
}

static void test_cleared_flag_comes_back(void **state)
{
    struct fixture *x = *state;

    make_stick(x);
    start(x);
    command("blockdev --setrw", x->node);
    assert_int_equal(raw_write(x), 0); /* the hole that the check closes */
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->block_reports[BLOCK_REPORT_REASSERTED], 1);
    assert_int_equal(raw_write(x), -EPERM);
}

/* The kernel's flag does not stop a filesystem that is writable already. */
static void test_writable_mount_from_before(void **state)
{
    struct fixture *x = *state;
    int fd;

    make_stick(x);
    assert_int_equal(mount(x->node, x->point, "ext4", MS_NOSUID | MS_NODEV, NULL), 0);
    fd = write_file(x);
    assert_true(fd >= 0);
    close(fd);
    start(x);
    assert_int_equal(x->mount_reports[MOUNT_REPORT_READ_ONLY], 1);
    assert_true(is_mounted(x));
    assert_int_equal(write_file(x), -EROFS);
    struct mount_table t;
    assert_int_equal(mount_table_read(x->proc, "self/mountinfo", &t), 0);
    for (size_t i = 0; i < t.n; i++) {
        if (strcmp(t.items[i].point, x->point) == 0)
            assert_non_null(strstr(t.items[i].options, "nosuid,nodev")); /* kept */
    }
    mount_table_done(&t);
}

static void test_writable_mount_in_use_is_detached(void **state)
{
    struct fixture *x = *state;
    int fd;

    make_stick(x);
    assert_int_equal(mount(x->node, x->point, "ext4", 0, NULL), 0);
    fd = write_file(x);
    assert_true(fd >= 0);
    start(x);
    assert_int_equal(x->mount_reports[MOUNT_REPORT_READ_ONLY], 1);
    assert_false(is_mounted(x));
    close(fd);
}

static void test_refused_medium_is_detached(void **state)
{
    struct fixture *x = *state;
    struct pollfd p;

    make_stick(x);
    x->rule.allow = POLICY_REFUSE;
    start(x);
    assert_int_equal(mount(x->node, x->point, "ext4", MS_RDONLY, NULL), 0);
    p = (struct pollfd){.fd = mount_manager_fd(x->mm), .events = POLLPRI};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_true(p.revents & POLLPRI);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->guarded, 1);
    assert_int_equal(x->mount_reports[MOUNT_REPORT_DETACHED], 1);
    assert_false(is_mounted(x));
}

/* A partition that appears after its disk is guarded, as with a card pushed into a reader. Added by BLKPG, as partx(8)
 * does, because not every kernel reads every partition table. */
static void test_later_partition(void **state)
{
    struct fixture *x = *state;
    struct blkpg_partition partition = {.start = 1 << 20, .length = 4 << 20, .pno = 1};
    struct blkpg_ioctl_arg add = {.op = BLKPG_ADD_PARTITION, .datalen = sizeof(partition), .data = &partition};
    char name[32];

    attach(x, LO_FLAGS_PARTSCAN);
    start(x);
    assert_int_equal(block_manager_count(x->b), 1);
    assert_int_equal(ioctl(x->loop, BLKPG, &add), 0);
    (void)snprintf(name, sizeof(name), "%sp1", x->name);
    assert_true(block_is_partition(x->sysfs, name));
    assert_int_equal(block_read_only(x->sysfs, name), 1); /* by the disk, before anybody does anything */
    assert_int_equal(block_manager_event(x->b, "add", name, 2), 0);
    assert_int_equal(block_manager_count(x->b), 2);
    /* With its own flag too: clearing the disk's is not enough. */
    int zero = 0;
    assert_int_equal(ioctl(x->loop, BLKROSET, &zero), 0);
    assert_int_equal(block_read_only(x->sysfs, name), 1);
    assert_int_equal(block_manager_event(x->b, "change", name, 3), 0);
    assert_int_equal(block_read_only(x->sysfs, x->name), 1);
    assert_int_equal(x->block_reports[BLOCK_REPORT_REASSERTED], 1);
}

static int64_t now_ms(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A FUSE server that never answers: the kernel's mount without anybody reading /dev/fuse. */
static int hung_fuse(const char *point)
{
    char options[96];
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fuse < 0)
        return -errno;
    (void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
    if (mount("evil", point, "fuse.sshfs", MS_NOSUID | MS_NODEV, options) < 0)
        fail();
    return fuse;
}

static int mount_id(const struct fixture *x, const char *file)
{
    struct mount_table t;
    int id = -1;

    assert_int_equal(mount_table_read(x->proc, file, &t), 0);
    for (size_t i = 0; i < t.n; i++) {
        if (strcmp(t.items[i].point, x->point) == 0)
            id = t.items[i].id;
    }
    mount_table_done(&t);
    return id;
}

/* With a fake sysfs, so that mode on finds no device of this machine, and in this private namespace only. */
static void test_hung_fuse_is_detached(void **state)
{
    struct fixture *x = *state;
    struct mount_manager_config mounts = {
        .proc = x->proc, .guard = on_guard, .unguard = on_unguard, .report = on_mount, .context = x};
    struct fake_block fake;
    int64_t started = now_ms();
    int fuse = hung_fuse(x->point);

    if (fuse < 0)
        skip_because("no /dev/fuse");
    fake_block_init(&fake);
    const struct block_manager_config block = {.mode = EXIT_MODE_ON,
                                               .sysfs = fake.sysfs,
                                               .proc = fake.proc,
                                               .run = x->run,
                                               .state = -1,
                                               .ops = fake.ops,
                                               .report = on_block,
                                               .context = x};
    x->mount_kernel = (struct mount_kernel){.proc = x->proc};
    mount_ops_kernel(&x->mount_kernel, &mounts.ops);
    assert_int_equal(block_manager_new(&block, &x->policy, 1, &x->b), 0);
    mounts.block = x->b;
    assert_int_equal(mount_manager_new(&mounts, 1, &x->mm), 0);
    assert_false(is_mounted(x));
    assert_int_equal(x->mount_reports[MOUNT_REPORT_DECIDED], 1);
    assert_int_equal(x->guarded, 0);
    assert_true(now_ms() - started < 2 * MOUNT_DEADLINE_MS);
    close(fuse);
    x->mm = mount_manager_free(x->mm);
    x->b = block_manager_free(x->b);
    fake_block_done(&fake);
}

/* A path through such a server costs the deadline, not the daemon. */
static void test_path_through_hung_fuse_times_out(void **state)
{
    struct fixture *x = *state;
    struct mount_ops ops;
    char below[160];
    int fuse = hung_fuse(x->point), fd = -1;

    if (fuse < 0)
        skip_because("no /dev/fuse");
    x->mount_kernel = (struct mount_kernel){.proc = x->proc};
    mount_ops_kernel(&x->mount_kernel, &ops);
    (void)snprintf(below, sizeof(below), "%s/a/b", x->point);
    const struct mount_place place = {.point = below, .mount_id = 1};

    assert_int_equal(ops.open(ops.context, &place, &fd), MOUNT_E_TIMEOUT);
    assert_int_equal(fd, -1);
    assert_int_equal(umount2(x->point, MNT_DETACH), 0);
    close(fuse);
}

static void test_exactly_that_mount(void **state)
{
    struct fixture *x = *state;
    struct mount_ops ops;
    char link[160];
    int fd = -1, id;

    x->mount_kernel = (struct mount_kernel){.proc = x->proc};
    mount_ops_kernel(&x->mount_kernel, &ops);
    assert_int_equal(mount("a", x->point, "tmpfs", 0, NULL), 0);
    id = mount_id(x, "self/mountinfo");
    struct mount_place place = {.point = x->point, .mount_id = id + 100000};

    assert_int_equal(ops.detach(ops.context, &place), MOUNT_E_COVERED);
    assert_int_equal(ops.open(ops.context, &place, &fd), MOUNT_E_COVERED);
    /* A symlink on the way leads nowhere. */
    (void)snprintf(link, sizeof(link), "%s/link", x->dir);
    assert_int_equal(symlink(x->point, link), 0);
    place = (struct mount_place){.point = link, .mount_id = -1};
    assert_true(ops.detach(ops.context, &place) < 0);
    assert_true(is_mounted(x));
    place = (struct mount_place){.point = x->point, .mount_id = id};
    assert_int_equal(ops.open(ops.context, &place, &fd), 0);
    assert_true(fcntl(fd, F_GETFL) & O_PATH);
    close(fd);
    assert_int_equal(ops.detach(ops.context, &place), 0);
    assert_false(is_mounted(x));
    place.pid = 1 << 29;
    assert_int_equal(ops.detach(ops.context, &place), MOUNT_E_GONE);
}

/* An unprivileged user hides a mount in a namespace of their own (here with a user namespace, as unshare -Ur does). */
static void test_other_namespace(void **state)
{
    struct fixture *x = *state;
    struct mount_ops ops;
    char file[64], byte;
    int ready[2], id;
    pid_t child;

    x->mount_kernel = (struct mount_kernel){.proc = x->proc};
    mount_ops_kernel(&x->mount_kernel, &ops);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && mount("hidden", x->point, "tmpfs", 0, NULL) == 0)
            (void)!write(ready[1], "+", 1);
        else
            (void)!write(ready[1], "-", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    if (byte == '+') {
        (void)snprintf(file, sizeof(file), "%d/mountinfo", (int)child);
        id = mount_id(x, file);
        assert_true(id >= 0);
        assert_false(is_mounted(x));
        const struct mount_place place = {.pid = child, .point = x->point, .mount_id = id};

        assert_int_equal(ops.detach(ops.context, &place), 0);
        assert_int_equal(mount_id(x, file), -1);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    if (byte != '+')
        skip_because("user namespaces are not available");
}

/* The next medium in the same place has the same device number: what was decided of the one is not written to the other. */
static void test_exports_go_to_that_medium_alone(void **state)
{
    struct fixture *x = *state;
    struct medium_nodes nodes = {.filesystem = "ext4"};
    int root = -1, on = 1;

    command("mkfs.ext4 -q -F", x->image);
    attach(x, 0);
    nodes.node = nodes.disk = x->loop;
    assert_int_equal(ioctl(x->loop, BLKROSET, &on), 0);
    assert_int_equal(ioctl(x->loop, BLKGETDISKSEQ, &nodes.diskseq), 0);
    nodes.diskseq--; /* as if it had been another when it was decided */
    assert_int_equal(medium_mount(&nodes, &root), -ENODEV);
    assert_int_equal(root, -1);
    assert_int_equal(block_read_only(x->sysfs, x->name), 1);
    assert_int_equal(medium_check_closed(&nodes), 0);
    nodes.diskseq++;
    assert_int_equal(medium_mount(&nodes, &root), 0);
    assert_int_equal(block_read_only(x->sysfs, x->name), 1);
    assert_int_equal(close(root), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_written),
        TEST(test_cleared_flag_comes_back),
        TEST(test_writable_mount_from_before),
        TEST(test_writable_mount_in_use_is_detached),
        TEST(test_refused_medium_is_detached),
        TEST(test_later_partition),
        TEST(test_hung_fuse_is_detached),
        TEST(test_path_through_hung_fuse_times_out),
        TEST(test_exactly_that_mount),
        TEST(test_other_namespace),
        TEST(test_exports_go_to_that_medium_alone),
    };

    if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0) {
        printf("SKIP: needs root and loop devices\n");
        return TEST_EXIT_SKIP;
    }
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        printf("SKIP: no private mount namespace: %s\n", strerror(errno));
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

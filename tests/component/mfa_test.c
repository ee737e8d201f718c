/*
 * The store of second factors on disks that fail: full, read-only, gone in the middle. Nobody gets in without a right code, and a full disk
 * locks nobody out who is enrolled. Needs root: it mounts file systems of its own.
 */
#include "test.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "unit/mfa/fixture.h"

#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t) /* ext4: EXT4_IOC_SHUTDOWN */
enum {
    SHUTDOWN_NO_LOG_FLUSH = 2
};

static char base[] = "/var/tmp/kuraban-mfa-XXXXXX";
static char mount_point[64], image[64];

static int run(const char *command)
{
    return system(command); /* fixed text of this test, and paths it made */
}

/* --- file systems --- */

static int mount_tmpfs(void)
{
    return mount("none", mount_point, "tmpfs", 0, "size=1M,mode=0700");
}

static int mount_ext4(void)
{
    char command[384];

    (void)snprintf(command, sizeof(command), "truncate -s 6M %s && mkfs.ext4 -q -F -m 0 %s && mount -o loop %s %s",
                   image, image, image, mount_point);
    return run(command);
}

static int setup_on(void **state, int (*mount_it)(void))
{
    assert_int_equal(mount_it(), 0);
    assert_int_equal(chmod(mount_point, 0700), 0);
    (void)setup_at(state, mount_point);
    ((struct fixture *)*state)->options.ops = NULL; /* synced, as in life */
    reopen(*state);
    return 0;
}

static int setup_tmpfs(void **state)
{
    return setup_on(state, mount_tmpfs);
}

static int setup_ext4(void **state)
{
    return setup_on(state, mount_ext4);
}

static int teardown_mount(void **state)
{
    struct fixture *f = *state;

    (void)mfa_free(f->mfa);
    close_fd(f->fd);
    free(f);
    assert_int_equal(umount2(mount_point, MNT_DETACH), 0);
    (void)unlink(image);
    return 0;
}

/* To the last block. */
static void fill(const char *name)
{
    char path[128], bytes[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", mount_point, name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    memset(bytes, 'x', sizeof(bytes));
    for (size_t size = sizeof(bytes); size > 0; size /= 2)
        while (write(fd, bytes, size) == (ssize_t)size) {}
    assert_int_equal(errno, ENOSPC);
    (void)fsync(fd);
    close_fd(fd);
}

static void drain(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", mount_point, name);
    assert_int_equal(unlink(path), 0);
}

/* --- full --- */

/* No two people may have one secret. */
static const char *secret_of(unsigned n)
{
    static char base32[33];
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    (void)strcpy(base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TAAAA");
    for (int i = 31; i >= 28; i--, n /= 32)
        base32[i] = alphabet[n % 32];
    return base32;
}

static void attempts(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++) {
        pass(f, 30);
        assert_int_equal(verify(f, wrong_code(f), NULL), MFA_WRONG);
        assert_int_equal(verify(f, code_at(f, 12), NULL), MFA_WRONG);
        assert_int_equal(failures(f), 2);
        assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
        assert_int_equal(failures(f), 0);
        assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
        assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
        if (i % 10 == 0)
            reopen(f);
    }
}

static void test_full(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;
    unsigned added = 0;

    enrol(f, TANAKA, "tanaka");
    fill("filler");
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    attempts(f, 20);
    assert_int_equal(verify(f, f->recovery.codes[0], &r), MFA_ACCEPTED);
    assert_int_equal(r.recovery_left, 9);
    /* New people take what room there is, then are refused; those who are enrolled still get in. */
    while (mfa_import(f->mfa, 2000 + added, "a", secret_of(added), &totp_default, 0, &f->now, NULL) == 0)
        assert_true(++added < 5000);
    print_message("%u more were enrolled on the full disk\n", added);
    assert_true(added > 10);
    attempts(f, 10);
    drain("filler");
    assert_int_equal(mfa_import(f->mfa, 3000, "a", secret_of(9999), &totp_default, 0, &f->now, NULL), 0);
    attempts(f, 1);
}

/* Made on a disk that is full: closed, never "not enrolled"; once there is room it is made. */
static void test_full_from_the_start(void **state)
{
    struct fixture *f = *state;

    f->mfa = mfa_free(f->mfa);
    remove_all(f->fd);
    fill("filler");
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_CLOSED);
    assert_int_equal(verify(f, "123456", NULL), MFA_UNAVAILABLE);
    drain("filler");
    pass(f, 2);
    assert_int_equal(verify(f, "123456", NULL), MFA_NOT_ENROLLED);
    enrol(f, TANAKA, "tanaka");
    attempts(f, 2);
}

/* --- read-only, and failing --- */

static void test_read_only(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    enrol(f, TANAKA, "tanaka");
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(mount(NULL, mount_point, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(mfa_open(&f->options, &f->mfa), 0);
    mfa_set_limits(f->mfa, &usual_limits);
    assert_int_equal(mfa_condition(f->mfa), MFA_CLOSED);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_UNAVAILABLE);
    mfa_ask(f->mfa, SUZUKI, &f->now, &r);
    assert_int_equal(r.outcome, MFA_UNAVAILABLE);
    assert_int_equal(mount(NULL, mount_point, NULL, MS_REMOUNT, NULL), 0);
    pass(f, 2);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
}

static void test_disk_gone(void **state)
{
    struct fixture *f = *state;
    uint32_t how = SHUTDOWN_NO_LOG_FLUSH;

    enrol(f, TANAKA, "tanaka");
    pass(f, 30);
    if (ioctl(f->fd, FS_IOC_SHUTDOWN, &how) < 0)
        skip_because("this file system cannot be shut down");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_UNAVAILABLE);
        pass(f, 2);
    }
    /* As after a power cut. */
    f->mfa = mfa_free(f->mfa);
    close_fd(f->fd);
    assert_int_equal(umount2(mount_point, 0), 0);
    {
        char command[384];

        (void)snprintf(command, sizeof(command), "mount -o loop %s %s", image, mount_point);
        assert_int_equal(run(command), 0);
    }
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->options.state_directory = f->fd;
    reopen(f);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, setup_tmpfs, teardown_mount),
        cmocka_unit_test_setup_teardown(test_full, setup_ext4, teardown_mount),
        cmocka_unit_test_setup_teardown(test_full_from_the_start, setup_tmpfs, teardown_mount),
        cmocka_unit_test_setup_teardown(test_full_from_the_start, setup_ext4, teardown_mount),
        cmocka_unit_test_setup_teardown(test_read_only, setup_tmpfs, teardown_mount),
        cmocka_unit_test_setup_teardown(test_read_only, setup_ext4, teardown_mount),
        cmocka_unit_test_setup_teardown(test_disk_gone, setup_ext4, teardown_mount),
    };
    int failed;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        (void)printf("SKIP: needs root and a mount namespace\n");
        return TEST_EXIT_SKIP;
    }
    if (!mkdtemp(base))
        return 1;
    (void)snprintf(mount_point, sizeof(mount_point), "%s/mnt", base);
    (void)snprintf(image, sizeof(image), "%s/image", base);
    if (mkdir(mount_point, 0700) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(mount_point);
    (void)rmdir(base);
    return failed;
}

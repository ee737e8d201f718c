/* What a process in the cage can do, tried in one: the packer opens nothing at all, the stager only for reading. */
#include "export/sandbox.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/identity.h"
#include "export/pack.h"

enum {
    CHILD_DIED = -1
};

/* Every way to come by a descriptor of a file, or by a program. 0, or the number of the first way that was not refused like that. */
struct ways {
    char file[64], fresh[64], link[64], by_fd[64];
    int directory, open;
};

static int try_reading(const struct ways *w, int error)
{
    struct open_how how = {.flags = O_RDONLY};
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + 128];
    } handle = {.h = {.handle_bytes = 128}};
    int mount = 0;
    /* name_to_handle_at() and open_by_handle_at() end at CAP_DAC_READ_SEARCH where nothing else ends them. */
    const bool refused[] = {
        open(w->file, O_RDONLY) < 0 && errno == error,
        openat(w->directory, "file", O_RDONLY) < 0 && errno == error,
        syscall(SYS_openat2, w->directory, "file", &how, sizeof(how)) < 0 && (errno == error || errno == EPERM),
        open(w->by_fd, O_RDONLY) < 0 && errno == error,
        open("/etc/passwd", O_RDONLY) < 0 && errno == error,
        name_to_handle_at(w->directory, "file", &handle.h, &mount, 0) < 0 ||
            open_by_handle_at(w->directory, &handle.h, O_RDONLY) < 0,
    };

    for (int i = 0; i < (int)(sizeof(refused) / sizeof(refused[0])); i++)
        if (!refused[i])
            return i + 1;
    return 0;
}

static int try_changing(const struct ways *w)
{
    const bool refused[] = {
        open(w->file, O_WRONLY) < 0,
        open(w->fresh, O_WRONLY | O_CREAT, 0600) < 0,
        openat(w->directory, ".", O_TMPFILE | O_RDWR, 0600) < 0,
        creat(w->file, 0600) < 0,
        open(w->by_fd, O_RDWR) < 0,
        mkdir(w->fresh, 0700) < 0,
        link(w->file, w->fresh) < 0,
        symlink("x", w->fresh) < 0,
        rename(w->file, w->fresh) < 0,
        unlink(w->file) < 0,
        execl("/bin/true", "true", (char *)NULL) < 0,
    };

    for (int i = 0; i < (int)(sizeof(refused) / sizeof(refused[0])); i++)
        if (!refused[i])
            return 20 + i;
    return 0;
}

static int try_leaving(void)
{
    const bool refused[] = {
        socket(AF_UNIX, SOCK_STREAM, 0) < 0,
        socket(AF_INET, SOCK_STREAM, 0) < 0,
        memfd_create("x", 0) < 0,
        fork() < 0,
        setuid(0) < 0,
        syscall(SYS_pidfd_getfd, -1, 0, 0) < 0 && errno == EPERM,
        syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == EPERM,
    };

    for (int i = 0; i < (int)(sizeof(refused) / sizeof(refused[0])); i++)
        if (!refused[i])
            return 40 + i;
    return 0;
}

static char directory[64];

static int setup(void **state)
{
    struct ways *w = calloc(1, sizeof(*w));

    (void)snprintf(directory, sizeof(directory), "/tmp/kuraban-sandbox-XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(w->file, sizeof(w->file), "%.40s/file", directory);
    (void)snprintf(w->fresh, sizeof(w->fresh), "%.40s/fresh", directory);
    w->directory = open(directory, O_RDONLY | O_DIRECTORY);
    w->open = open(w->file, O_RDWR | O_CREAT, 0644);
    assert_true(w->directory >= 0 && w->open >= 0);
    assert_int_equal(write(w->open, "staged", 6), 6);
    (void)snprintf(w->by_fd, sizeof(w->by_fd), "/proc/self/fd/%d", w->open);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct ways *w = *state;

    assert_int_equal(unlink(w->file), 0);
    close(w->open);
    close(w->directory);
    assert_int_equal(rmdir(directory), 0);
    free(w);
    return 0;
}

/* Exit status of what runs in a child. */
static int in_child(int (*f)(const struct ways *w), const struct ways *w)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(identity_drop_capabilities() < 0 ? 98 : f(w));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_DIED;
}

static int without_a_cage(const struct ways *w)
{
    return try_reading(w, EPERM);
}

static int packer(const struct ways *w)
{
    char content[8] = "";
    int r = sandbox_enter(SANDBOX_NOTHING, 1 << 20) < 0 ? 99 : try_reading(w, EPERM);

    if (r == 0)
        r = try_changing(w);
    if (r == 0)
        r = try_leaving();
    if (r == 0 &&
        (pread(w->open, content, 6, 0) != 6 || strcmp(content, "staged") != 0 || pwrite(w->open, "!", 1, 6) != 1))
        r = 60; /* what it has it can use */
    if (r == 0 &&
        (lseek(w->open, 1 << 20, SEEK_SET) < 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR || write(w->open, "x", 1) >= 0))
        r = 61; /* but not without end */
    return r;
}

static void test_the_packer_opens_nothing(void **state)
{
    assert_int_equal(in_child(without_a_cage, *state), 1); /* the first way there is, is one */
    assert_int_equal(in_child(packer, *state), 0);
}

static int stager(const struct ways *w)
{
    int r = sandbox_enter(SANDBOX_OPENS, 1 << 20) < 0 ? 99 : 0;

    if (r == 0 && open(w->by_fd, O_RDONLY) < 0)
        r = 70;
    if (r == 0)
        r = try_leaving();
    /* Writing is refused by Landlock alone: openat(2) is permitted for what it reads. */
    return r == 0 && sandbox_has_landlock() ? try_changing(w) : r;
}

static void test_the_stager_only_reads(void **state)
{
    assert_int_equal(in_child(stager, *state), 0);
}

/* Root's processes reach each other without any capability: by limits (no more descriptors for kuraband), and by a signal of one's choice to whom one
 * names as the owner of a socket. Which of them were possible, as bits. */
static pid_t neighbour;
static int pair[2];

static int reach(void)
{
    const struct rlimit few = {8, 8};
    int ways = prlimit(neighbour, RLIMIT_NOFILE, &few, NULL) == 0 ? 1 : 0;

    if (fcntl(pair[0], F_SETOWN, neighbour) == 0 && fcntl(pair[0], F_SETSIG, SIGKILL) == 0)
        ways |= 2;
    return ways;
}

static int reach_freely(const struct ways *w)
{
    (void)w;
    return reach();
}

static int reach_as_packer(const struct ways *w)
{
    (void)w;
    return sandbox_enter(SANDBOX_NOTHING, 1 << 20) < 0 ? 99 : reach();
}

static int reach_as_stager(const struct ways *w)
{
    (void)w;
    return sandbox_enter(SANDBOX_OPENS, 1 << 20) < 0 ? 99 : reach();
}

static void test_reaches_no_other_process(void **state)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    neighbour = fork();
    if (neighbour == 0) {
        (void)alarm(20); /* also when the test has failed before */
        for (;;)
            (void)pause();
    }
    assert_int_equal(in_child(reach_freely, *state), 3);
    assert_int_equal(in_child(reach_as_packer, *state), 0);
    assert_int_equal(in_child(reach_as_stager, *state), 0);
    assert_int_equal(kill(neighbour, SIGKILL), 0);
    assert_int_equal(waitpid(neighbour, NULL, 0), neighbour);
    close(pair[0]);
    close(pair[1]);
}

static int landlocked_packer(const struct ways *w)
{
    return sandbox_enter_landlock(SANDBOX_NOTHING) < 0 ? 99 : try_reading(w, EACCES);
}

static int landlocked_stager(const struct ways *w)
{
    if (sandbox_enter_landlock(SANDBOX_OPENS) < 0)
        return 99;
    return open(w->file, O_RDONLY) < 0 ? 70 : try_changing(w);
}

static void test_landlock_alone(void **state)
{
    if (!sandbox_has_landlock())
        skip_because("this kernel has no Landlock, or it is off");
    assert_int_equal(in_child(landlocked_packer, *state), 0);
    assert_int_equal(in_child(landlocked_stager, *state), 0);
}

/* Nothing that libarchive wants to open on its way may change what comes out: names and times. */
static int packed;
static int (*pack)(const struct pack_options *o) = pack_zip;

static int enter(void *context)
{
    (void)context;
    return sandbox_enter(SANDBOX_NOTHING, 2 << 20);
}

static int pack_here(const struct ways *w, bool caged)
{
    struct export_members members = {0};
    struct export_member m = {.name = "名簿.csv", .size = 6};
    struct pack_options o = {.staged = w->open,
                             .members = &members,
                             .password = "AAAAA-BBBBB",
                             .out = packed,
                             .wall_us = INT64_C(1795450000000000),
                             .enter = caged ? enter : NULL};
    int r;

    if (digest_bytes("staged", 6, &m.sha256) < 0 || export_members_add(&members, &m) < 0)
        return 80;
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    tzset();
    r = pack(&o);
    if (r == 0 && caged && open("/etc/passwd", O_RDONLY) >= 0)
        r = -ENOTRECOVERABLE; /* it packed, but not in there */
    export_members_done(&members);
    return r == 0 ? 0 : 81;
}

static int pack_caged(const struct ways *w)
{
    return pack_here(w, true);
}

static int pack_free(const struct ways *w)
{
    return pack_here(w, false);
}

/* Of a zip's first entry: version to digest are no secrets (time among them), then its name. Of LUKS up to its label. */
static void read_head(char ret[static 64], int (*f)(const struct ways *w), const struct ways *w)
{
    packed = memfd_create("packed", 0);
    assert_int_equal(in_child(f, w), 0);
    assert_int_equal(pread(packed, ret, 64, 0), 64);
    close(packed);
}

static void test_packs_the_same_in_the_cage(void **state)
{
    char caged[64], outside[64];

    assert_int_equal(setenv("TZ", ":Asia/Tokyo", 1), 0);
    read_head(caged, pack_caged, *state);
    read_head(outside, pack_free, *state);
    assert_memory_equal(caged, "PK\3\4", 4);
    assert_memory_equal(caged, outside, 64);
    pack = pack_luks;
    read_head(caged, pack_caged, *state);
    read_head(outside, pack_free, *state);
    assert_memory_equal(caged, "LUKS\xba\xbe\0\2", 8);
    assert_memory_equal(caged, outside, 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_packer_opens_nothing), TEST(test_the_stager_only_reads),      TEST(test_reaches_no_other_process),
        TEST(test_landlock_alone),           TEST(test_packs_the_same_in_the_cage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Stores on a filesystem of their own and on a shared one: who opens them, by whichever way they are reached. */
#include "component/gate_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "gate/stores.h"
#include "policy/policy.h"

enum {
    USER = 1000
};

static struct policy_program programs[2];
static struct policy_store store = {
    .id = (char *)(uintptr_t) "juki", .class_ = (char *)(uintptr_t) "3A", .programs = programs};
static struct policy policy = {.refs = 1000, .name = (char *)(uintptr_t) "test", .stores = &store};
static struct policy empty = {.refs = 1000, .name = (char *)(uintptr_t) "empty"};
static char client[256], store_path[256];

/* "client FILE" is the permitted program: a copy of cat. */
static int with_client(const char *path)
{
    const char *argv[] = {client, path, NULL};

    return machine_run(argv);
}

static int with_program(const char *program, const char *path)
{
    const char *argv[] = {program, path, NULL};

    return machine_run(argv);
}

static void start_gate(void)
{
    gate_begin(&policy);
    assert_int_equal(gate_self_test(gate, 10000), 1);
}

static void begin(const char *path)
{
    gate_open_descriptors();
    (void)mkdir(machine_path("bin"), 0755);
    machine_copy("/bin/cat", "bin/client", 0755);
    strcpy(client, machine_path("bin/client"));
    strcpy(store_path, machine_path(path));
    programs[0] = (struct policy_program){.path = client};
    store.n_programs = 1;
    store.path = store_path;
    policy.n_stores = 1;
    policy.mode = POLICY_ENFORCE;
    (void)mkdir(machine_path("outside"), 0777);
    (void)chmod(machine_path("outside"), 0777);
}

static void fill(void)
{
    char sub[300];

    (void)mkdir(store_path, 0777);
    (void)chmod(store_path, 0777);
    (void)snprintf(sub, sizeof(sub), "%s/sub", store_path);
    (void)mkdir(sub, 0777);
    (void)chmod(sub, 0777);
}

static const char *in_store(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *p = path[turn++ % 4];

    (void)snprintf(p, 512, "%s/%s", store_path, name);
    return p;
}

static void put(const char *name)
{
    machine_write(in_store(name) + strlen(machine_root()) + 1, "resident", 0666);
}

static int begin_own(void **state)
{
    (void)state;
    begin("own");
    machine_mount_ext4("own");
    fill();
    put("file");
    put("sub/file");
    start_gate();
    assert_string_equal(gate_store_state(gate, 0), "filesystem");
    return 0;
}

/* The store is one directory of a filesystem that holds other things as well. */
static int begin_shared_alone(void **state)
{
    (void)state;
    begin("disk/srv/juki");
    machine_mount_ext4("disk");
    (void)mkdir(machine_path("disk/srv"), 0777);
    fill();
    put("file");
    put("sub/file");
    machine_write("disk/elsewhere", "public", 0644);
    (void)mkdir(machine_path("disk/out"), 0777);
    (void)chmod(machine_path("disk/out"), 0777);
    return 0;
}

static int begin_shared(void **state)
{
    (void)begin_shared_alone(state);
    start_gate();
    assert_string_equal(gate_store_state(gate, 0), "inodes");
    return 0;
}

static int end(void **state)
{
    (void)state;
    gate_end();
    (void)umount2(machine_path("own"), MNT_DETACH);
    (void)umount2(machine_path("disk"), MNT_DETACH);
    return 0;
}

static int read_in_bind_mount(const char *path)
{
    char directory[512];

    strcpy(directory, path);
    *strrchr(directory, '/') = '\0';
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(directory, machine_path("outside"), NULL, MS_BIND, NULL) < 0)
        return 255;
    return machine_open_read(machine_path("outside/file"));
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(254);
    close(fd);
}

static void enter_user_namespace(void)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        _exit(253);
    write_text("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "0 %u 1", uid);
    write_text("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof(map), "0 %u 1", gid);
    write_text("/proc/self/gid_map", map);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        _exit(252);
}

static int read_in_user_namespace(const char *path)
{
    char directory[512];

    strcpy(directory, path);
    *strrchr(directory, '/') = '\0';
    enter_user_namespace();
    if (mount(directory, machine_path("outside"), NULL, MS_BIND, NULL) < 0)
        return 251;
    return machine_open_read(machine_path("outside/file"));
}

static int client_in_user_namespace(const char *path)
{
    enter_user_namespace();
    execl(client, client, path, (char *)NULL);
    return 250;
}

static int client_traced(const char *path)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execl(client, client, path, (char *)NULL);
        _exit(250);
    }
    /* Stopped after exec, then let go on under our eyes. */
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || ptrace(PTRACE_CONT, child, NULL, NULL) < 0 ||
        waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 249;
    return WEXITSTATUS(status);
}

/* The same for both layouts. */
static void test_only_the_permitted_program(void **state)
{
    struct audit_event e;

    (void)state;
    assert_int_equal(with_client(in_store("file")), 0);
    e = next_open();
    assert_true(e.allowed);
    assert_string_equal(e.store, "juki");
    assert_string_equal(e.store_class, "3A");
    assert_string_equal(e.rule, "juki");
    assert_string_equal(e.program, client);
    assert_int_equal(with_program("/bin/cat", in_store("file")), 1);
    e = next_open();
    assert_false(e.allowed);
    assert_string_equal(e.reason, verdict_reason_name(REASON_PROGRAM));
    assert_string_equal(e.path, in_store("file"));
    assert_int_equal(machine_try(machine_open_read, in_store("sub/file"), 0), EPERM);
    assert_int_equal(machine_try(machine_open_read, in_store("sub/file"), USER), EPERM);
    assert_int_equal(with_client(in_store("sub/file")), 0);
}

static void test_every_other_way_in(void **state)
{
    (void)state;
    assert_int_equal(machine_try(read_in_bind_mount, in_store("file"), 0), EPERM);
    assert_int_equal(machine_try(read_in_user_namespace, in_store("file"), USER), EPERM);
    /* A hard link, made inside, where links may be. */
    assert_int_equal(link(in_store("file"), in_store("sub/linked")), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("sub/linked"), 0), EPERM);
    assert_int_equal(with_client(in_store("sub/linked")), 0);
    assert_int_equal(rename(in_store("file"), in_store("renamed")), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("renamed"), 0), EPERM);
}

static void test_copies_and_steered_clients(void **state)
{
    (void)state;
    machine_copy("/bin/cat", "bin/copy", 0755);
    assert_int_equal(with_program(machine_path("bin/copy"), in_store("file")), 1);
    (void)mkdir(machine_path("outside/x"), 0755);
    machine_copy(client, "outside/client", 0755);
    assert_int_equal(with_program(machine_path("outside/client"), in_store("file")), 1);
    assert_int_equal(machine_try(client_in_user_namespace, in_store("file"), USER), 1);
    assert_int_equal(machine_try(client_traced, in_store("file"), 0), 1);
    assert_int_equal(with_client(in_store("file")), 0);
}

/* Replacing the program is followed; a program others can write is none. */
static void test_program_is_followed_and_trusted_only_by_root(void **state)
{
    (void)state;
    machine_copy("/bin/cat", "bin/new", 0755);
    assert_int_equal(rename(machine_path("bin/new"), client), 0);
    assert_int_equal(with_client(in_store("file")), 0);
    assert_int_equal(chmod(client, 0777), 0);
    assert_int_equal(with_client(in_store("file")), 1);
    (void)gate_tick(gate);
    assert_string_equal(gate_program_state(gate, 0, 0), "untrusted");
    assert_int_equal(chmod(client, 0755), 0);
    assert_int_equal(with_client(in_store("file")), 0);
    assert_int_equal(chmod(machine_path("bin"), 0777), 0);
    (void)gate_tick(gate);
    assert_int_equal(with_client(in_store("file")), 1);
    assert_int_equal(chmod(machine_path("bin"), 0755), 0);
}

static void test_pinned_hash(void **state)
{
    struct audit_event e;
    int fd = open(client, O_RDONLY | O_CLOEXEC), out;

    (void)state;
    assert_int_equal(digest_fd(fd, 1 << 28, &programs[0].sha256), 0);
    close(fd);
    programs[0].has_sha256 = true;
    assert_int_equal(gate_set_policy(gate, &policy), 0);
    assert_int_equal(with_client(in_store("file")), 0);
    assert_int_equal(with_client(in_store("file")), 0);
    out = open(client, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(out, "x", 1), 1);
    close(out);
    while (gate_next_event(gate, &e))
        ;
    assert_int_equal(with_client(in_store("file")), 1);
    do /* what was allowed before may be recorded only now: the answer goes first */
        e = next_open();
    while (e.allowed);
    assert_string_equal(e.reason, verdict_reason_name(REASON_HASH));
}

static void test_new_policy_frees_the_store(void **state)
{
    (void)state;
    assert_int_equal(gate_set_policy(gate, &empty), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("file"), USER), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("sub/file"), USER), 0);
    assert_int_equal(gate_set_policy(gate, &policy), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("file"), USER), EPERM);
}

static void test_no_policy_opens_nothing(void **state)
{
    struct gate_options o = {.exits = exits, .stores = stores, .proc_fd = proc_fd, .run_fd = run_fd};

    (void)state;
    gate = gate_free(gate); /* the marks stay in the group */
    assert_int_equal(gate_new(&o, &gate), 0);
    assert_int_equal(gate_start(gate), 0);
    assert_int_equal(with_client(in_store("file")), 1);
}

static int read_in_overlay(const char *path)
{
    char directory[512], options[1200];

    strcpy(directory, path);
    *strrchr(directory, '/') = '\0';
    enter_user_namespace();
    (void)snprintf(options, sizeof(options), "lowerdir=%s:%s", directory, machine_path("bin"));
    if (mount("overlay", machine_path("outside"), "overlay", MS_RDONLY, options) < 0)
        return errno == ENODEV || errno == EPERM || errno == EINVAL ? 251 : 248;
    return machine_open_read(machine_path("outside/file"));
}

/* The probe on a canary says the same as the attack on the store. */
static void test_overlay(void **state)
{
    int seen = machine_try(read_in_overlay, in_store("file"), USER);

    (void)state;
    switch (gate_overlay_probe(gate, 10000)) {
    case GATE_OVERLAY_IMPOSSIBLE:
        skip_because("no overlay can be mounted here");
        break;
    case GATE_OVERLAY_REFUSED:
        assert_int_equal(seen, EPERM);
        break;
    case GATE_OVERLAY_OPEN: /* kernels before 6.5: the package keeps the driver out */
        assert_int_equal(seen, 0);
        break;
    default:
        fail_msg("the probe could not run");
    }
}

/* --- only on a shared filesystem --- */

static void test_elsewhere_is_not_asked(void **state)
{
    uint64_t before = decisions();

    (void)state;
    assert_int_equal(machine_try(machine_open_read, machine_path("disk/elsewhere"), USER), 0);
    assert_int_equal(decisions(), before);
}

static void test_what_leaves_stays_guarded(void **state)
{
    (void)state;
    assert_int_equal(link(in_store("file"), machine_path("disk/out/link")), 0);
    assert_int_equal(machine_try(machine_open_read, machine_path("disk/out/link"), 0), EPERM);
    assert_int_equal(rename(in_store("sub/file"), machine_path("disk/out/moved")), 0);
    assert_int_equal(machine_try(machine_open_read, machine_path("disk/out/moved"), 0), EPERM);
}

static int create(const char *path)
{
    return open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666) < 0 ? errno : 0;
}

/* tee is the permitted program here, because it creates. */
static void test_new_files_are_guarded_at_once(void **state)
{
    (void)state;
    machine_copy("/usr/bin/tee", "bin/client", 0755);
    assert_int_equal(with_client(in_store("new")), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("new"), USER), EPERM);
    assert_int_equal(rename(in_store("new"), machine_path("disk/out/new")), 0); /* its own mark goes along */
    assert_int_equal(machine_try(machine_open_read, machine_path("disk/out/new"), 0), EPERM);
    assert_int_equal(machine_try(create, in_store("foreign"), USER), EPERM);
}

/* A number that a deleted file left is given to the next one, which nobody has marked yet. No gate here: nobody else may set the mark. */
static void test_reused_inode_is_a_new_file(void **state)
{
    struct stores *s;
    struct stat before, now = {0};
    size_t which;
    int fd;

    (void)state;
    assert_int_equal(
        stores_new(&policy,
                   &(struct stores_options){.ops = &fanotify_kernel, .group = stores, .names = -1, .proc_fd = proc_fd},
                   &s),
        0);
    assert_int_equal(stat(in_store("file"), &before), 0);
    fd = open(in_store("file"), O_PATH | O_CLOEXEC);
    assert_int_equal(stores_find(s, fd, &before, &which), STORES_IS);
    close(fd);
    assert_int_equal(unlink(in_store("file")), 0);
    for (int i = 0; i < 64 && now.st_ino != before.st_ino; i++) {
        char name[24];

        (void)snprintf(name, sizeof(name), "next-%d", i);
        assert_int_equal(mknod(in_store(name), S_IFREG | 0666, 0), 0);
        fd = open(in_store(name), O_PATH | O_CLOEXEC);
        assert_int_equal(fstat(fd, &now), 0);
        if (now.st_ino != before.st_ino)
            close(fd);
    }
    assert_int_equal(now.st_ino, before.st_ino);
    assert_int_equal(stores_find(s, fd, &now, &which), STORES_NEW);
    close(fd);
    (void)stores_unref(s);
}

static size_t inode_marks(void)
{
    struct gate_status s;

    gate_get_status(gate, &s);
    return s.store_inodes;
}

static void wait_for_inodes(size_t n)
{
    for (int i = 0; i < 2000 && inode_marks() < n; i++)
        (void)poll(NULL, 0, 5);
    assert_true(inode_marks() >= n);
}

static void test_new_directories_and_moved_in_trees(void **state)
{
    size_t before = inode_marks();

    (void)state;
    assert_int_equal(mkdir(in_store("later"), 0777), 0);
    wait_for_inodes(before + 1);
    (void)mkdir(machine_path("disk/tree"), 0777);
    (void)mkdir(machine_path("disk/tree/deep"), 0777);
    machine_write("disk/tree/deep/file", "resident", 0666);
    assert_int_equal(rename(machine_path("disk/tree"), in_store("later/tree")), 0);
    wait_for_inodes(before + 4);
    assert_int_equal(machine_try(machine_open_read, in_store("later/tree/deep/file"), 0), EPERM);
    assert_int_equal(with_client(in_store("later/tree/deep/file")), 0);
}

static void test_foreign_file_linked_in_is_guarded_by_both_names(void **state)
{
    size_t before = inode_marks();

    (void)state;
    assert_int_equal(link(machine_path("disk/elsewhere"), in_store("linked")), 0);
    wait_for_inodes(before + 1);
    assert_int_equal(machine_try(machine_open_read, in_store("linked"), 0), EPERM);
    assert_int_equal(machine_try(machine_open_read, machine_path("disk/elsewhere"), 0), EPERM);
}

static void test_lost_marks_are_noticed_and_set_again(void **state)
{
    (void)state;
    assert_int_equal(gate_tick(gate), 1);
    assert_int_equal(fanotify_flush_inodes(&fanotify_kernel, stores), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("file"), 0), 0); /* that is what a lost mark means */
    assert_int_equal(gate_tick(gate), 0);
    assert_int_equal(machine_try(machine_open_read, in_store("file"), 0), EPERM);
}

int main(void)
{
#define BOTH(test)                                                                                                     \
    cmocka_unit_test_setup_teardown(test, begin_own, end), cmocka_unit_test_setup_teardown(test, begin_shared, end)
    const struct CMUnitTest tests[] = {
        BOTH(test_only_the_permitted_program),
        BOTH(test_every_other_way_in),
        BOTH(test_copies_and_steered_clients),
        BOTH(test_program_is_followed_and_trusted_only_by_root),
        BOTH(test_pinned_hash),
        BOTH(test_new_policy_frees_the_store),
        BOTH(test_no_policy_opens_nothing),
        BOTH(test_overlay),
        cmocka_unit_test_setup_teardown(test_elsewhere_is_not_asked, begin_shared, end),
        cmocka_unit_test_setup_teardown(test_what_leaves_stays_guarded, begin_shared, end),
        cmocka_unit_test_setup_teardown(test_new_files_are_guarded_at_once, begin_shared, end),
        cmocka_unit_test_setup_teardown(test_reused_inode_is_a_new_file, begin_shared_alone, end),
        cmocka_unit_test_setup_teardown(test_new_directories_and_moved_in_trees, begin_shared, end),
        cmocka_unit_test_setup_teardown(test_foreign_file_linked_in_is_guarded_by_both_names, begin_shared, end),
        cmocka_unit_test_setup_teardown(test_lost_marks_are_noticed_and_set_again, begin_shared, end),
    };

    machine_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

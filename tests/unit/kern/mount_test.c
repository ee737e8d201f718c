#include "kern/mount.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake/sysfs_block.h"

static void parse(const char *text, struct mount_table *t)
{
    assert_int_equal(mount_table_parse(text, strlen(text), t), 0);
}

static void test_fields(void **state)
{
    struct mount_table t;

    (void)state;
    parse("36 35 8:17 /a /media/user/STICK ro,nosuid shared:1 master:2 - vfat /dev/sdb1 ro,uid=1000\n"
          "37 35 0:44 / /mnt rw - nfs4 srv:/x rw,vers=4.2",
          &t);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.malformed, 0);
    assert_int_equal(t.items[0].id, 36);
    assert_int_equal(t.items[0].parent, 35);
    assert_int_equal(t.items[0].major, 8);
    assert_int_equal(t.items[0].minor, 17);
    assert_string_equal(t.items[0].root, "/a");
    assert_string_equal(t.items[0].point, "/media/user/STICK");
    assert_string_equal(t.items[0].options, "ro,nosuid");
    assert_string_equal(t.items[0].type, "vfat");
    assert_string_equal(t.items[0].source, "/dev/sdb1");
    assert_false(mount_super_writable(&t.items[0]));
    assert_string_equal(t.items[1].type, "nfs4");
    assert_true(mount_super_writable(&t.items[1]));
    mount_table_done(&t);
}

static void test_escapes(void **state)
{
    struct mount_table t;

    (void)state;
    parse("1 0 8:1 / /media/a\\040b\\011c\\134d\\012e rw - ext4 /dev/x rw\n"
          "2 0 8:1 / /m\\9\\04 rw -  - rw\n"
          "3 0 0:9 / /odd rw - tmpfs  rw\n",
          &t);
    assert_int_equal(t.malformed, 0);
    assert_string_equal(t.items[0].point, "/media/a b\tc\\d\ne");
    assert_string_equal(t.items[1].point, "/m\\9\\04");
    assert_string_equal(t.items[2].source, "");
    mount_table_done(&t);
}

/* A line nobody can read must not hide the others. */
static void test_malformed_lines_are_counted(void **state)
{
    static const char text[] = "rubbish\n"
                               "1 0 8:1 / /a rw - ext4 /dev/x rw\n"
                               "x 0 8:1 / /a rw - ext4 /dev/x rw\n"
                               "1 0 81 / /a rw - ext4 /dev/x rw\n"
                               "1 0 8:1 / relative rw - ext4 /dev/x rw\n"
                               "1 0 8:1 / /a rw ext4 /dev/x rw\n"
                               "99999999999 0 8:1 / /a rw - ext4 /dev/x rw\n"
                               "5 0 8:1 / /nul\0 rw - ext4 /dev/x rw\n"
                               "\n"
                               "2 0 8:2 / /b rw - ext4 /dev/y rw\n";
    struct mount_table t;

    (void)state;
    assert_int_equal(mount_table_parse(text, sizeof(text) - 1, &t), 0);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.malformed, 8);
    assert_string_equal(t.items[1].point, "/b");
    mount_table_done(&t);
    assert_int_equal(mount_table_parse(text, (size_t)MOUNT_TABLE_MAX + 1, &t), -EFBIG);
}

static void test_too_many_optional_fields(void **state)
{
    char text[4096] = "1 0 8:1 / /a rw";
    struct mount_table t;

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(text, " shared:1");
    strcat(text, " - ext4 /dev/x rw\n");
    parse(text, &t);
    assert_int_equal(t.n, 0);
    assert_int_equal(t.malformed, 1);
    mount_table_done(&t);
}

static void test_options(void **state)
{
    char value[8];

    (void)state;
    assert_true(mount_option("rw,user_id=1000,group_id=7", "user_id", value, sizeof(value)));
    assert_string_equal(value, "1000");
    assert_false(mount_option("rw,xuser_id=1000", "user_id", value, sizeof(value)));
    assert_false(mount_option("rw,user_id=123456789", "user_id", value, sizeof(value)));
    assert_false(mount_option("", "user_id", value, sizeof(value)));
}

static void test_covering(void **state)
{
    struct mount_table t;

    (void)state;
    parse("1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /media/x rw - ext4 b rw\n3 2 8:3 / /media/x rw - ext4 c rw\n", &t);
    assert_int_equal(mount_table_covering(&t, "/media/x/file")->id, 3);
    assert_int_equal(mount_table_covering(&t, "/media/xy")->id, 1);
    assert_int_equal(mount_table_covering(&t, "/media/x")->id, 3);
    mount_table_done(&t);
}

struct visits {
    unsigned n;
    pid_t pids[8];
};

static int count_visit(void *context, pid_t pid, const struct mount_table *table)
{
    struct visits *v = context;

    assert_int_equal(table->n, 1);
    assert_true(v->n < 8);
    v->pids[v->n++] = pid;
    return 0;
}

/* Same namespace = same inode: hard links in the fake. */
static void namespace_of(struct fake_block *f, const char *pid, const char *same_as)
{
    char name[64], from[256], to[256];

    (void)snprintf(name, sizeof(name), "%s/mountinfo", pid);
    fake_block_proc(f, name, "1 0 8:1 / / rw - ext4 a rw\n");
    (void)snprintf(name, sizeof(name), "%s/ns/mnt", pid);
    fake_block_proc(f, name, "");
    if (same_as) {
        (void)snprintf(from, sizeof(from), "%s/proc/%s/ns/mnt", f->path, same_as);
        (void)snprintf(to, sizeof(to), "%s/proc/%s", f->path, name);
        assert_int_equal(unlink(to), 0);
        assert_int_equal(link(from, to), 0);
    }
}

static int count_only(void *context, pid_t pid, const struct mount_table *table)
{
    (void)pid;
    (void)table;
    ++*(unsigned *)context;
    return 0;
}

/* Anybody may make thousands: what cannot be remembered is looked at once more, never left out. */
static void test_more_namespaces_than_are_remembered(void **state)
{
    enum {
        MANY = MOUNT_NAMESPACES_MAX + 10
    };
    struct mount_namespaces s = {0};
    struct fake_block f;
    unsigned visited = 0;

    (void)state;
    fake_block_init(&f);
    namespace_of(&f, "self", NULL);
    for (int i = 0; i < MANY; i++) {
        char pid[16];

        (void)snprintf(pid, sizeof(pid), "%d", 10 + i);
        namespace_of(&f, pid, NULL);
    }
    assert_int_equal(mount_namespaces_scan(&s, f.proc, 2 * MANY, count_only, &visited), 0);
    assert_int_equal(visited, MANY);
    assert_int_equal(s.cursor, 0);
    assert_true(s.n <= MOUNT_NAMESPACES_MAX);
    mount_namespaces_done(&s);
    fake_block_done(&f);
}

static void test_namespaces_are_visited_once(void **state)
{
    struct mount_namespaces s = {0};
    struct fake_block f;
    struct visits v = {0};

    (void)state;
    fake_block_init(&f);
    namespace_of(&f, "self", NULL);
    namespace_of(&f, "10", "self");
    namespace_of(&f, "20", NULL);
    namespace_of(&f, "30", "20");
    namespace_of(&f, "40", NULL);
    fake_block_proc(&f, "50/comm", "gone");
    assert_int_equal(mount_namespaces_scan(&s, f.proc, 100, count_visit, &v), 0);
    assert_int_equal(s.cursor, 0);
    assert_int_equal(v.n, 2);
    assert_int_equal(v.pids[0], 20);
    assert_int_equal(v.pids[1], 40);
    /* In steps: the same, over several calls. */
    v = (struct visits){0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(mount_namespaces_scan(&s, f.proc, 2, count_visit, &v), 0);
    assert_int_equal(s.cursor, 0);
    assert_int_equal(v.n, 2);
    mount_namespaces_done(&s);
    fake_block_done(&f);
}

static void test_real_mountinfo(void **state)
{
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct mount_table t;

    (void)state;
    assert_true(proc >= 0);
    assert_int_equal(mount_table_read(proc, "self/mountinfo", &t), 0);
    assert_int_equal(t.malformed, 0);
    assert_true(t.n > 0);
    assert_string_equal(mount_table_covering(&t, "/proc/self")->type, "proc");
    mount_table_done(&t);
    assert_int_equal(mount_table_read(proc, "0/mountinfo", &t), -ENOENT);
    close(proc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_malformed_lines_are_counted),
        cmocka_unit_test(test_too_many_optional_fields),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_covering),
        cmocka_unit_test(test_namespaces_are_visited_once),
        cmocka_unit_test(test_more_namespaces_than_are_remembered),
        cmocka_unit_test(test_real_mountinfo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A sysfs of block devices on a temporary directory. Owns the tree. Must not judge: tests assert. */
#include "fake/sysfs_block.h"

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_directories(const char *path)
{
    char copy[1024];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *s = copy + 1; (s = strchr(s, '/')); *s++ = '/') {
        *s = '\0';
        (void)mkdir(copy, 0755);
    }
    (void)mkdir(copy, 0755);
}

static void write_file(const char *path, const char *text)
{
    char parent[1024];
    FILE *f;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    *strrchr(parent, '/') = '\0';
    make_directories(parent);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int fake_set_read_only(void *context, const char *name, dev_t device, bool read_only)
{
    struct fake_block *f = context;
    char file[128];

    (void)device;
    f->sets++;
    if (f->on_set)
        f->on_set(f, name);
    if (f->set_error)
        return f->set_error;
    (void)snprintf(file, sizeof(file), "class/block/%s/ro", name);
    fake_block_set(f, file, read_only ? "1\n" : "0\n");
    return 0;
}

static int fake_trigger(void *context, const char *name)
{
    struct fake_block *f = context;

    f->triggers++;
    (void)snprintf(f->last_trigger, sizeof(f->last_trigger), "%s", name);
    return 0;
}

static int fake_properties(void *context, const char *name, struct block_properties *ret)
{
    struct fake_block *f = context;

    *ret = (struct block_properties){0};
    for (unsigned i = 0; i < f->n_known; i++) {
        if (strcmp(f->known[i].name, name) == 0)
            *ret = f->known[i].properties;
    }
    return 0;
}

static int open_below(struct fake_block *f, const char *name)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    make_directories(path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void fake_block_init(struct fake_block *f)
{
    *f = (struct fake_block){.path = "/tmp/kuraban-block-XXXXXX"};
    assert_non_null(mkdtemp(f->path));
    f->sysfs = open_below(f, "sys");
    f->proc = open_below(f, "proc");
    f->run = open_below(f, "run");
    f->state = open_below(f, "state");
    close(open_below(f, "sys/class/block"));
    fake_block_proc(f, "self/mountinfo", "1 0 254:0 / / rw - ext4 /dev/vda rw\n");
    f->ops = (struct block_ops){
        .set_read_only = fake_set_read_only, .trigger = fake_trigger, .properties = fake_properties, .context = f};
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

void fake_block_done(struct fake_block *f)
{
    (void)nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(f->sysfs);
    close(f->proc);
    close(f->run);
    close(f->state);
}

void fake_block_set(struct fake_block *f, const char *file, const char *value)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/sys/%s", f->path, file[0] == '/' ? file + 1 : file);
    if (value)
        write_file(path, value);
    else
        (void)unlink(path);
}

static void set_at(struct fake_block *f, const char *devpath, const char *attribute, const char *value)
{
    char file[1024];

    (void)snprintf(file, sizeof(file), "%s/%s", devpath + 1, attribute);
    fake_block_set(f, file, value);
}

static void link_class(struct fake_block *f, const char *devpath)
{
    char target[1024], path[1024];

    (void)snprintf(target, sizeof(target), "../..%s", devpath);
    (void)snprintf(path, sizeof(path), "%s/sys/class/block%s", f->path, strrchr(devpath, '/'));
    assert_int_equal(symlink(target, path), 0);
}

static void number_path(struct fake_block *f, const char *number, char ret[static 1024])
{
    (void)snprintf(ret, 1024, "%s/sys/dev/block/%.*s", f->path, (int)strcspn(number, "\n"), number);
}

static void link_number(struct fake_block *f, const char *devpath, const char *number)
{
    char target[1024], path[1024];

    (void)snprintf(target, sizeof(target), "../..%s", devpath);
    (void)snprintf(path, sizeof(path), "%s/sys/dev/block", f->path);
    make_directories(path);
    number_path(f, number, path);
    (void)unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static void node(struct fake_block *f, const char *devpath, const char *number, uint64_t sectors)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s\n", number);
    set_at(f, devpath, "dev", text);
    (void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)sectors);
    set_at(f, devpath, "size", text);
    set_at(f, devpath, "ro", "0\n");
    link_class(f, devpath);
    link_number(f, devpath, number);
}

void fake_block_disk(struct fake_block *f, const char *devpath, const char *number, uint64_t sectors,
                     const char *removable)
{
    char path[1024];

    node(f, devpath, number, sectors);
    if (removable)
        set_at(f, devpath, "removable", removable);
    set_at(f, devpath, "diskseq", "1\n");
    (void)snprintf(path, sizeof(path), "%s/sys%s/slaves", f->path, devpath);
    make_directories(path);
}

void fake_block_partition(struct fake_block *f, const char *disk_devpath, const char *name, const char *number,
                          uint64_t sectors)
{
    char devpath[1024];

    (void)snprintf(devpath, sizeof(devpath), "%s/%s", disk_devpath, name);
    node(f, devpath, number, sectors);
    set_at(f, devpath, "partition", "1\n");
}

void fake_block_subsystem(struct fake_block *f, const char *devpath, const char *subsystem)
{
    char path[1024], target[128];

    (void)snprintf(path, sizeof(path), "%s/sys%s", f->path, devpath);
    make_directories(path);
    (void)snprintf(path, sizeof(path), "%s/sys%s/subsystem", f->path, devpath);
    (void)snprintf(target, sizeof(target), "../../bus/%s", subsystem);
    assert_int_equal(symlink(target, path), 0);
    if (strcmp(subsystem, "usb") == 0)
        set_at(f, devpath, "bDeviceClass", "00\n");
}

void fake_block_slave(struct fake_block *f, const char *name, const char *slave)
{
    char path[1024], target[256];

    (void)snprintf(path, sizeof(path), "%s/sys/class/block/%s/slaves/%s", f->path, name, slave);
    (void)snprintf(target, sizeof(target), "../../%s", slave);
    assert_int_equal(symlink(target, path), 0);
}

void fake_block_remove(struct fake_block *f, const char *name)
{
    char path[1024], numbers[128], target[1024];
    const struct dirent *d;
    ssize_t n;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/sys/class/block/%s", f->path, name);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(numbers, sizeof(numbers), "%s/sys/dev/block", f->path);
    dir = opendir(numbers);
    if (!dir)
        return; /* a tree that was made by hand */
    while ((d = readdir(dir))) {
        n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        if (n > 0 && strcmp(strrchr(target, '/') + 1, name) == 0)
            assert_int_equal(unlinkat(dirfd(dir), d->d_name, 0), 0);
    }
    assert_int_equal(closedir(dir), 0);
}

struct block_properties *fake_block_properties(struct fake_block *f, const char *name)
{
    for (unsigned i = 0; i < f->n_known; i++) {
        if (strcmp(f->known[i].name, name) == 0)
            return &f->known[i].properties;
    }
    assert_true(f->n_known < FAKE_PROPERTIES_MAX);
    (void)snprintf(f->known[f->n_known].name, BLOCK_NAME_SIZE, "%s", name);
    f->known[f->n_known].properties.known = true;
    return &f->known[f->n_known++].properties;
}

void fake_block_proc(struct fake_block *f, const char *file, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/proc/%s", f->path, file);
    write_file(path, text);
}

bool fake_block_exists(struct fake_block *f, const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", f->path, file);
    return access(path, F_OK) == 0;
}

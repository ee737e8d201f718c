/*
 * Owns: the courier's folder and its two files. Must not: read what others can read, or write as root into a folder that is another's: what
 * root writes for the courier is written with the courier's own rights, so that no name there leads root elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "courier/centre.h"
#include "policy/fleet/wire_file.h"

#define FOLDER "courier"
#define CENTRE "centre.json"
#define WIRE "wire.nk"

int centre_folder(int state_directory, uid_t owner, gid_t group, int create)
{
    _cleanup_close_ int fd = files_open_directory_at(state_directory, FOLDER, create, 0700);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    /* Made by root a moment ago. */
    if (create && st.st_uid != owner && st.st_uid == geteuid() && fchown(fd, owner, group) < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != owner || (st.st_mode & 077) != 0)
        return -EPERM;
    return TAKE_FD(fd);
}

struct rights {
    int user, group; /* of the filesystem, before; -1: as they were */
};

static void give_back(struct rights *r)
{
    if (r->user < 0)
        return;
    (void)setfsuid((uid_t)r->user);
    (void)setfsgid((gid_t)r->group);
}

static int take_rights_of(int folder, struct rights *ret)
{
    struct stat st;

    if (fstat(folder, &st) < 0)
        return -errno;
    if (st.st_uid == geteuid())
        return 0;
    if (geteuid() != 0)
        return -EPERM;
    ret->group = setfsgid(st.st_gid);
    ret->user = setfsuid(st.st_uid);
    /* They tell what was before, never that it failed. */
    return (uid_t)setfsuid((uid_t)-1) == st.st_uid && (gid_t)setfsgid((gid_t)-1) == st.st_gid ? 0 : -EPERM;
}

#define AS_OWNER _cleanup_(give_back) struct rights

int centre_write(int folder, const struct centre *c, struct trust_complaint *complaint)
{
    AS_OWNER rights = {-1, -1};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = centre_format(c, &bytes, &size, complaint);

    if (r == TRUST_OK)
        r = take_rights_of(folder, &rights);
    return r == 0 ? files_write_atomic_at(folder, CENTRE, bytes, size, 0600) : r;
}

int centre_read(int folder, struct centre *ret, struct trust_complaint *complaint)
{
    AS_OWNER rights = {-1, -1};
    _cleanup_free_ char *text = NULL;
    int r = take_rights_of(folder, &rights);

    if (r == 0)
        r = files_read_private_at(folder, CENTRE, CENTRE_FILE_MAX, &text);
    return r < 0 ? r : centre_parse((const uint8_t *)text, strlen(text), ret, complaint);
}

int centre_key_create(int folder, struct wire_key **ret)
{
    AS_OWNER rights = {-1, -1};
    int r = take_rights_of(folder, &rights);

    return r < 0 ? r : wire_file_create(folder, WIRE, NKEY_USER, ret);
}

int centre_key_read(int folder, struct wire_key **ret)
{
    AS_OWNER rights = {-1, -1};
    int r = take_rights_of(folder, &rights);

    return r < 0 ? r : wire_file_read(folder, WIRE, NKEY_USER, ret);
}

int centre_remove(int folder)
{
    AS_OWNER rights = {-1, -1};
    int r = take_rights_of(folder, &rights);

    if (r == 0 && unlinkat(folder, CENTRE, 0) < 0 && errno != ENOENT)
        r = -errno;
    if (r == 0 && unlinkat(folder, WIRE, 0) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

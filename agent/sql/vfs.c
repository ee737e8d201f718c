/*
 * Owns: how SQLite finds a store's files.
 * Must not: change how it reads or writes them.
 */
#include "sql/vfs.h"

#include <sqlite3.h>
#include <string.h>

static int full_path_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
    size_t length = strlen(name);

    (void)vfs;
    if (name[0] != '/' || length >= (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(ret, name, length + 1);
    return SQLITE_OK;
}

const char *vfs_as_given(void)
{
    static sqlite3_vfs vfs;
    const sqlite3_vfs *usual;

    if (vfs.zName)
        return vfs.zName;
    usual = sqlite3_vfs_find("unix");
    if (!usual)
        return NULL;
    vfs = *usual;
    vfs.pNext = NULL;
    vfs.zName = "kuraban-as-given";
    vfs.xFullPathname = full_path_name;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        vfs.zName = NULL;
    return vfs.zName;
}

#include "fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "export/members.h"
#include "export/names.h"

/* What a person calls a file, and the list that the stager hands to a process with more rights. */

static void check_safe(const char *name)
{
    char again[EXPORT_NAME_MAX + 1];

    if (strlen(name) > EXPORT_NAME_MAX || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        !text_is_printable_utf8(name))
        abort();
    /* What is safe stays as it is: the reader of the list relies on it. */
    if (export_name_make(name, again) < 0 || strcmp(name, again) != 0)
        abort();
}

static void try_name(const char *data)
{
    struct export_names names = {0};
    char name[EXPORT_NAME_MAX + 1], second[EXPORT_NAME_MAX + 1];

    if (export_name_make(data, name) >= 0) {
        check_safe(name);
        if (export_names_add(&names, name, second) < 0 || strcmp(name, second) != 0)
            abort();
        if (export_names_add(&names, name, second) >= 0) {
            check_safe(second);
            if (strcmp(name, second) == 0)
                abort();
        }
    }
    export_names_done(&names);
}

static void try_list(const uint8_t *data, size_t size)
{
    struct export_members m = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    for (uint64_t staged = 0; staged < 4; staged++) {
        if (export_members_load(fd, staged, &m) < 0)
            continue;
        for (size_t i = 0; i < m.n; i++) {
            check_safe(m.items[i].name);
            if (m.items[i].size > staged || m.items[i].offset > staged - m.items[i].size)
                abort();
        }
        export_members_done(&m);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    try_name(copy);
    free(copy);
    try_list(data, size);
    return 0;
}

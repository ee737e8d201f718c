/*
 * Names that are taken on a medium. Owns: their list. Must not: read the directory again for each name that is asked for, or for as long as its owner
 * likes.
 */
#include "export/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/names.h"

enum {
    ASKED_EACH = 1024, /* entries */
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int grow(struct place *place)
{
    size_t room = place->n + ASKED_EACH;
    char **folded = reallocarray(place->folded, room, sizeof(*folded));

    if (!folded)
        return -ENOMEM;
    place->folded = folded;
    return 0;
}

static int take(struct place *place, const char *name)
{
    char *folded = NULL;
    int r = place->n % ASKED_EACH == 0 ? grow(place) : 0;

    if (r == 0)
        r = export_name_fold(name, &folded);
    if (r == 0)
        place->folded[place->n++] = folded;
    return r == -EILSEQ ? 0 : r; /* ours are UTF-8 */
}

static int open_directory(int directory, DIR **ret)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ret = fdopendir(fd);
    if (!*ret) {
        close_fd(fd);
        return -ENOMEM;
    }
    return 0;
}

int place_look(int directory, int (*goes_on)(void *context), void *context, struct place *ret)
{
    _cleanup_closedir_ DIR *dir = NULL;
    struct place place = {0};
    const struct dirent *d;
    int r = open_directory(directory, &dir);

    for (size_t seen = 0; r == 0 && (errno = 0, d = readdir(dir)); seen++) {
        if (seen >= PLACE_ENTRIES_MAX)
            r = -E2BIG;
        else if (goes_on && seen % ASKED_EACH == ASKED_EACH - 1)
            r = goes_on(context);
        if (r == 0)
            r = take(&place, d->d_name);
        errno = 0;
    }
    if (r == 0 && errno != 0)
        r = -errno;
    if (r != 0) {
        place_done(&place);
        return r;
    }
    if (place.n > 0)
        qsort(place.folded, place.n, sizeof(*place.folded), compare);
    *ret = place;
    return 0;
}

int place_has(const struct place *place, const char *name)
{
    _cleanup_free_ char *folded = NULL;
    int r = export_name_fold(name, &folded);

    if (r < 0)
        return r;
    return place->n > 0 && bsearch(&folded, place->folded, place->n, sizeof(*place->folded), compare) != NULL;
}

void place_done(struct place *place)
{
    for (size_t i = 0; i < place->n; i++)
        free(place->folded[i]);
    free(place->folded);
    *place = (struct place){0};
}

/*
 * Runs a fuzz target over its corpus without libFuzzer, so that gcc builds and the ordinary test run cover every
 * parser. Owns: reading the corpus folder given as argument. Must not: judge results; the sanitizers do that.
 *
 * Each input is passed whole and cut off at every length up to MAX_CUTS evenly spread places, in a heap block of exactly
 * that size, because reading past the end of a truncated message is the error parsers make most.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (16U << 20)
#define MAX_CUTS 256U

static int run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int run_with_cuts(const uint8_t *data, size_t size)
{
    size_t step = size / MAX_CUTS + 1;
    int r = 0;

    for (size_t cut = 0; cut < size && r >= 0; cut += step)
        r = run_one(data, cut);
    return r < 0 ? r : run_one(data, size);
}

static int run_file(int dir, const char *name)
{
    struct stat st;
    uint8_t *data;
    size_t have = 0;
    ssize_t n = 0;
    int fd, r;

    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > MAX_FILE) {
        close(fd);
        return -EINVAL;
    }
    data = malloc((size_t)st.st_size + 1);
    if (!data) {
        close(fd);
        return -ENOMEM;
    }
    while (have < (size_t)st.st_size && (n = read(fd, data + have, (size_t)st.st_size - have)) > 0)
        have += (size_t)n;
    r = n < 0 ? -errno : run_with_cuts(data, have);
    free(data);
    close(fd);
    return r;
}

int main(int argc, char **argv)
{
    const struct dirent *entry;
    unsigned int files = 0;
    DIR *dir;
    int r;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    dir = opendir(argv[1]);
    if (!dir) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        r = run_file(dirfd(dir), entry->d_name);
        if (r < 0) {
            fprintf(stderr, "%s/%s: %s\n", argv[1], entry->d_name, strerror(-r));
            closedir(dir);
            return 1;
        }
        files++;
    }
    closedir(dir);
    printf("%u corpus files\n", files);
    return files > 0 ? 0 : 1; /* an empty corpus would be a test that cannot fail */
}

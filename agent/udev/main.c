/* kuraban-udev NAME: see udev/helper.h. Started by udevd for every block device event (packaging/udev). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "udev/helper.h"

static int open_directory(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"run", required_argument, NULL, 'r'}, {"state", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    const char *run = "/run/kuraban", *state = "/var/lib/kuraban";
    struct block_kernel kernel;
    struct block_ops ops;
    int option, r;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'r')
            run = optarg;
        else if (option == 's')
            state = optarg;
        else
            return 2;
    }
    if (optind + 1 != argc) {
        (void)fputs("usage: kuraban-udev [--run DIRECTORY] [--state DIRECTORY] KERNEL-NAME\n", stderr);
        return 2;
    }
    kernel = (struct block_kernel){.sysfs = open_directory("/sys"), .dev = open_directory("/dev")};
    block_ops_kernel(&kernel, &ops);
    _cleanup_close_ int sysfs = kernel.sysfs, dev = kernel.dev, proc = open_directory("/proc"),
                        run_fd = open_directory(run), state_fd = open_directory(state);
    const struct helper_roots roots = {.sysfs = sysfs, .proc = proc, .run = run_fd, .state = state_fd, .ops = &ops};

    r = sysfs < 0 || dev < 0 || proc < 0 ? -EIO : helper_run(&roots, argv[optind], stdout);
    if (r < 0) {
        (void)fprintf(stderr, "kuraban-udev: %s: %s\n", argv[optind], strerror(-r));
        return 1;
    }
    return 0;
}

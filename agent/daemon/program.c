/*
 * Where our other programs are. Owns nothing.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"

/* A build tree has them beside the daemon; an installed daemon has them in libexec. */
void daemon_find_program(const char *name, char path[static PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
            n = snprintf(path, PATH_MAX, "%s/%s", self, name);
            if (n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
                return;
        }
    }
    (void)snprintf(path, PATH_MAX, "%s/%s", KURABAN_LIBEXEC_DIR, name);
}

/*
 * kuraban-export: started by kuraband alone, with its descriptors in place. Owns: what a process is. Must not: do more than
 * worker_run().
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "export/protocol.h"
#include "export/sandbox.h"
#include "export/worker.h"

static int is_socket(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static int is(int fd, mode_t kind)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

int main(void)
{
    int r;

    if (!is_socket(EXPORT_FD_CLIENT) || !is_socket(EXPORT_FD_CONTROL) || !is(EXPORT_FD_STATE, S_IFDIR) ||
        !is(EXPORT_FD_NODE, S_IFBLK) || !is(EXPORT_FD_DISK, S_IFBLK) || !is(EXPORT_FD_LIFE, S_IFIFO)) {
        (void)fputs("kuraban-export is started by kuraband; people use: kuraban export\n", stderr);
        return 2;
    }
    for (int fd = EXPORT_FD_CLIENT; fd <= EXPORT_FD_LIFE; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(0022); /* what is put on a medium is for people; what is staged has no name */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (!sandbox_has_landlock())
        log_warning("export.landlock", "off in this kernel: the list of system calls alone holds what packs");
    r = worker_run();
    if (r < 0)
        log_error("export.failed", "error=%d", -r);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * kuraban-keeper [--grace=MILLISECONDS]: descriptor 3 is a listening socket (from kuraband or from a systemd socket unit).
 *
 * Owns: what a process is: signals, capabilities (none). Must not: more than call keeper_run().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "keeper/keeper.h"
#include "kern/keeper.h"

enum {
    GRACE_MAX_MS = 3600 * 1000
};

static int parse(int argc, char **argv, struct keeper_options *ret)
{
    uint64_t grace = KEEPER_GRACE_DEFAULT_MS;

    for (int i = 1; i < argc; i++)
        if (!text_starts(argv[i], "--grace=") || text_to_u64(argv[i] + strlen("--grace="), GRACE_MAX_MS, &grace) < 0)
            return -1;
    *ret = (struct keeper_options){.listener = KEEPER_LISTEN_FD, .grace_ms = (unsigned)grace};
    return 0;
}

static int is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

/* Holding, reading and answering take no capability: the group was made by who had them. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0)
        return -errno;
    return 0;
}

int main(int argc, char **argv)
{
    /* It ends only by a daemon's release: at shutdown SIGKILL comes anyway, and before that it has to outlive the daemon. */
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};
    struct keeper_options o;
    int r;

    if (parse(argc, argv, &o) < 0 || !is_listening(KEEPER_LISTEN_FD)) {
        (void)fprintf(stderr, "usage: kuraban-keeper [--grace=MILLISECONDS] with a listening socket as descriptor 3\n");
        return 2;
    }
    for (size_t i = 0; i < ELEMENTS(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)fcntl(KEEPER_LISTEN_FD, F_SETFD, FD_CLOEXEC);
    r = drop_capabilities();
    if (r >= 0)
        r = keeper_run(&o);
    if (r < 0)
        log_error("keeper.failed", "error=%d", -r);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

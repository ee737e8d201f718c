/* Owns: one child process that serves a control socket. It dies with its parent. */
#include "fake/ctl_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"

static int serve(int listen_fd, const struct ctl_verb *verbs, size_t n_verbs,
                 void (*after_start)(sd_event *loop, struct ctl_server *s))
{
    struct ctl_server *server = NULL;
    sd_event *loop = NULL;
    int r = sd_event_new(&loop);

    if (r >= 0)
        r = sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL); /* exits the loop */
    if (r >= 0)
        r = ctl_server_new(loop, listen_fd, verbs, n_verbs, loop, &server);
    if (r >= 0 && after_start)
        after_start(loop, server);
    if (r >= 0)
        r = sd_event_loop(loop);
    (void)ctl_server_free(server);
    sd_event_unref(loop);
    return r;
}

int fake_ctl_start(struct fake_ctl *f, const struct ctl_verb *verbs, size_t n_verbs,
                   void (*after_start)(sd_event *loop, struct ctl_server *s))
{
    _cleanup_close_ int directory = -1;
    sigset_t signals, before;
    int listen_fd;

    (void)snprintf(f->directory, sizeof(f->directory), "/tmp/kuraban-ctl.XXXXXX");
    if (!mkdtemp(f->directory) || chmod(f->directory, 0755) < 0)
        return -errno;
    directory = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    listen_fd = ctl_listen_at(directory, f->directory);
    if (listen_fd < 0)
        return listen_fd;
    (void)fflush(NULL);
    /* Blocked before the fork: fake_ctl_stop() may come before the child has run at all. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, &before) < 0)
        return -errno;
    f->pid = fork();
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        exit(serve(listen_fd, verbs, n_verbs, after_start) < 0 ? 1 : 0);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    close_fd(listen_fd);
    return f->pid < 0 ? -errno : 0;
}

int fake_ctl_stop(struct fake_ctl *f)
{
    char path[128];
    int status = 0;

    if (f->pid > 0) {
        (void)kill(f->pid, SIGTERM);
        status = -1;
        while (waitpid(f->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    f->pid = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", f->directory, CTL_SOCKET_NAME);
    (void)unlink(path);
    (void)rmdir(f->directory);
    return status;
}

#pragma once

#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link/link.h"

/* A real nats-server, and waiting for a connection to it. */

/* A port that nobody has at this moment. */
static inline uint16_t broker_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static inline pid_t broker_run(const char *conf, const char *log)
{
    pid_t pid = fork();

    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        (void)dup2(fd, 2);
        (void)execlp("nats-server", "nats-server", "-c", conf, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static inline void broker_kill(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static inline bool broker_await(bool (*what)(void *), void *context, int seconds)
{
    struct timespec pause = {.tv_nsec = 20 * 1000000};

    for (int i = 0; i < seconds * 50; i++) {
        if (what(context))
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static inline bool broker_is_up(void *link)
{
    return link_is_up(link);
}

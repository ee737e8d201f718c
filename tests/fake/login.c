/*
 * Owns: a listening process and its directory. Must not: know PAM, or what an outcome means.
 */
#include "fake/login.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"

/* ctl/protocol.h; written out because these numbers must not change. */
enum {
    ANSWER_FIELDS = 0x8001,
    REQUEST_MS = 5000,
};

static void insist(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static void send_answer(int fd, const struct fake_login_reply *reply, int passed)
{
    struct buf body;

    buf_init(&body, FRAME_BODY_MAX);
    insist(buf_add_u32(&body, 0) == 0 && buf_add(&body, reply->bytes, reply->size) == 0, "the answer's body");
    (void)frame_send(fd, ANSWER_FIELDS, 0, &body, passed, REQUEST_MS); /* the peer may have gone */
    buf_done(&body);
}

static void send_slowly(int fd, const uint8_t *bytes, size_t size)
{
    struct pollfd p = {.fd = fd, .events = 0};

    for (size_t i = 0; i < size && poll(&p, 1, 300) == 0; i++)
        if (send(fd, bytes + i, 1, MSG_NOSIGNAL) != 1)
            return;
}

static void wait_for_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    (void)poll(&p, 1, -1);
}

static void reply_to(int fd, const struct fake_login_reply *reply)
{
    (void)poll(NULL, 0, (int)reply->delay_ms);
    switch (reply->manner) {
    case FAKE_LOGIN_ANSWER:
        if (reply->bytes)
            send_answer(fd, reply, -1);
        break;
    case FAKE_LOGIN_WITH_FD:
        send_answer(fd, reply, STDIN_FILENO);
        break;
    case FAKE_LOGIN_RAW:
        (void)!send(fd, reply->bytes, reply->size, MSG_NOSIGNAL);
        break;
    case FAKE_LOGIN_SLOW:
        send_slowly(fd, reply->bytes, reply->size);
        break;
    case FAKE_LOGIN_SILENT:
        wait_for_end(fd);
        break;
    case FAKE_LOGIN_HANG_UP:
        break;
    }
}

/* The code is the last field of every request. */
static bool has_code(const struct buf *fields, const char *code)
{
    size_t size = strlen(code);

    return fields->size >= size + 4 && memcmp(fields->data + fields->size - size, code, size) == 0 &&
           fields->data[fields->size - size - 4] == size;
}

static void serve(int fd, struct fake_login_seen *seen, const struct fake_login_reply *replies)
{
    struct frame f;
    const struct fake_login_reply wrong = {.bytes = "\x02\0\0\0\0\0", .size = 6};
    unsigned step, n = seen->n % FAKE_LOGIN_REQUESTS;

    if (replies[0].manner == FAKE_LOGIN_HANG_UP)
        return;
    frame_init(&f);
    if (frame_receive(&f, fd, REQUEST_MS) == 0 && f.body.size > 0 && f.body.size <= FAKE_LOGIN_REQUEST_MAX) {
        seen->requests[n].type = f.type;
        seen->requests[n].size = f.body.size;
        memcpy(seen->requests[n].fields, f.body.data, f.body.size);
        seen->n++;
        step = f.body.data[0];
        if (step < FAKE_LOGIN_REPLIES && replies[step].code && !has_code(&f.body, replies[step].code))
            send_answer(fd, &wrong, -1);
        else if (step < FAKE_LOGIN_REPLIES)
            reply_to(fd, &replies[step]);
    }
    frame_done(&f);
}

static void listen_at(const struct fake_login *f, uid_t uid, int *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", f->directory);
    insist(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    insist(chmod(address.sun_path, 0666) == 0, "chmod");
    /* SO_PEERCRED tells the other side who called listen(2). */
    insist(setresuid(uid, uid, uid) == 0 && listen(fd, 8) == 0, "listen");
    *ret = fd;
}

static _Noreturn void run(const struct fake_login *f, uid_t uid, const struct fake_login_reply *replies, int ready)
{
    int listening;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    listen_at(f, uid, &listening);
    close(ready);
    for (;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        serve(fd, f->seen, replies);
        close(fd);
    }
}

void fake_login_start(struct fake_login *f, uid_t uid, const struct fake_login_reply replies[FAKE_LOGIN_REPLIES])
{
    int ready[2];
    char byte;

    (void)snprintf(f->directory, sizeof(f->directory), "/tmp/kuraban-login-XXXXXX");
    insist(mkdtemp(f->directory) && chmod(f->directory, 0755) == 0, f->directory);
    f->seen = mmap(NULL, sizeof(*f->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    insist(f->seen != MAP_FAILED && pipe2(ready, O_CLOEXEC) == 0, "sharing");
    (void)fflush(NULL);
    f->pid = fork();
    insist(f->pid >= 0, "fork");
    if (f->pid == 0) {
        close(ready[0]);
        run(f, uid, replies, ready[1]);
    }
    close(ready[1]);
    insist(read(ready[0], &byte, 1) == 0, "the fake kuraband");
    close(ready[0]);
}

void fake_login_stop(struct fake_login *f)
{
    char path[128];

    insist(kill(f->pid, SIGKILL) == 0 && waitpid(f->pid, NULL, 0) == f->pid, "the fake kuraband's end");
    (void)snprintf(path, sizeof(path), "%s/control.sock", f->directory);
    (void)unlink(path); /* a test may have taken it away */
    insist(rmdir(f->directory) == 0, f->directory);
    insist(munmap(f->seen, sizeof(*f->seen)) == 0, "munmap");
}

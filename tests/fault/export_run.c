/*
 * The whole exporting process while calls fail, its children with it. Owns: the process, and what must hold when it has ended. Must not: play
 * kuraband (export_peer.c).
 */
#include "fault/export_round.h"

#include "unit/export/container_check.h"
#include "unit/export/pack_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/frame.h"
#include "export/protocol.h"
#include "export/worker.h"
#include "fault/export_peer.h"

#define NAME "kuraban-20261123-231500"

enum { /* exit statuses */
    LEFT = 3,
    MEMORY_LEFT = 11,
    FD_LEFT = 12,
};

static void check_medium(void *context, const char *name, const char *password)
{
    enum export_container container = *(const enum export_container *)context;
    char found[EXPORT_NAME_MAX + 1] = "", path[512];
    unsigned n = export_named(found);
    int fd;

    export_insist(name || n == 0, "it has a name before it may");
    export_insist(!name || (n == 1 && strcmp(found, name) == 0), "it has not the name that it is said to have");
    if (name && container == EXPORT_PLAIN)
        export_insist_plain(name, EXPORT_ROUND_FILES);
    if (!name || container == EXPORT_PLAIN || !password)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", now.around->medium, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    export_insist(fd >= 0, "it does not open");
    if (container == EXPORT_ZIP_AES256)
        check_zip(fd, password, &now.x->members, 0);
    else
        check_image(fd, password, &now.x->members);
    close_fd(fd);
}

static void begin_worker(int control)
{
    struct buf b;

    buf_init(&b, FRAME_BODY_MAX);
    export_insist(buf_add_u32(&b, 65534) == 0 && buf_add_u32(&b, 65534) == 0 && buf_add_u32(&b, 0) == 0 &&
                      buf_add_string(&b, "vfat") == 0 && buf_add_string(&b, NAME) == 0 &&
                      buf_add_string(&b, "4567") == 0 && buf_add_u64(&b, 1) == 0 && buf_add_u32(&b, 100) == 0 &&
                      buf_add_u32(&b, 1) == 0 && buf_add_string(&b, "0123") == 0 &&
                      frame_send(control, EXPORT_BEGIN, 0, &b, -1, 1000) == 0,
                  "not begun");
    buf_done(&b);
}

/* As kuraband's child finds them. */
static void place(const int *fds, size_t n)
{
    int high[8];

    for (size_t i = 0; i < n; i++)
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
    for (size_t i = 0; i < n; i++)
        export_insist(high[i] >= 0 && dup2(high[i], EXPORT_FD_CLIENT + (int)i) >= 0, "no descriptor");
}

static _Noreturn void be_worker(const int *fds, size_t n)
{
    struct fault_account account;
    unsigned before;
    int r;

    now.forked = true;
    place(fds, n);
    before = export_open_fds();
    fault_begin(&now.plan);
    r = worker_run();
    account = fault_end();
    fault_begin(&(struct fault_plan){0}); /* _exit() counts once more: nothing */
    fault_pause();
    now.around->calls += account.calls;
    now.around->faults += account.faults;
    if (export_open_fds() != before)
        _exit(FD_LEFT);
    _exit(account.blocks != 0 ? MEMORY_LEFT : r == 0 ? 0 : LEFT);
}

static pid_t start_worker(struct export_peer *p)
{
    int client[2], control[2], life[2];
    int state = open(now.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid;

    export_insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0 &&
                      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0 && pipe2(life, O_CLOEXEC) == 0,
                  "no sockets");
    const int fds[] = {client[1], control[1], state, null, null, life[1]};

    p->client = client[0];
    p->control = control[0];
    begin_worker(p->control);
    (void)fflush(stdout);
    pid = fork();
    export_insist(pid >= 0, "no process");
    if (pid == 0) {
        close_fd(client[0]);
        close_fd(control[0]);
        close_fd(life[0]);
        be_worker(fds, ELEMENTS(fds));
    }
    for (size_t i = 0; i < ELEMENTS(fds); i++)
        if (i != 4) /* null is there twice */
            close_fd(fds[i]);
    close_fd(life[0]);
    return pid;
}

/* Of an export before this one. */
static void put_leftover(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/.kuraban-0123.part", now.around->medium);
    export_insist(mkdir(path, 0755) == 0, "no leftover");
    (void)snprintf(path, sizeof(path), "%s/.kuraban-0123.part/a", now.around->medium);
    export_insist(mknod(path, S_IFREG | 0644, 0) == 0, "no leftover");
}

static void look_at_end(const struct export_peer *p, int status, uint64_t faults)
{
    char found[EXPORT_NAME_MAX + 1] = "";

    export_insist(WIFEXITED(status), "the exporting process was killed");
    export_insist(!now.around->sanitizer, "a sanitizer had something to say");
    export_insist(!now.around->unguarded, "the medium's flag is not set");
    export_insist(WEXITSTATUS(status) != MEMORY_LEFT, "memory is not given back");
    export_insist(WEXITSTATUS(status) != FD_LEFT, "a descriptor is left open");
    export_insist(WEXITSTATUS(status) == LEFT || (WEXITSTATUS(status) == 0 && p->done),
                  "it ends well, and is not done");
    export_insist(p->done || p->told || faults > 1, "it ends without a cause");
    export_insist(p->finished || faults > 0, "it fails without a fault");
    if (export_named(found) == 0)
        return;
    export_insist(p->committed, "it has a name that nobody permitted");
    export_insist(!p->finished || p->password[0] != '\0' || p->container == EXPORT_PLAIN, "nobody can open it");
    check_medium(p->context, found, p->password[0] != '\0' ? p->password : NULL);
}

uint64_t export_run(void)
{
    enum export_container container = (enum export_container)(now.plan.seed % 3);
    struct export_peer p = {.files = now.files,
                            .members = &now.x->members,
                            .container = container,
                            .check = check_medium,
                            .context = &container,
                            .failed = export_failed};
    uint64_t calls = now.around->calls, faults = now.around->faults;
    int status = 0;
    pid_t pid;

    put_leftover();
    now.around->unguarded = false;
    pid = start_worker(&p);
    export_peer_serve(&p);
    export_insist(waitpid(pid, &status, 0) == pid, "the exporting process is nowhere");
    look_at_end(&p, status, now.around->faults - faults);
    now.good += p.finished;
    export_empty_medium();
    return now.around->calls - calls;
}

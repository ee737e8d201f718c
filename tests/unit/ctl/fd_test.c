/* One sealed fd with the requests that take one; elsewhere it ends the connection. */
#include "unit/ctl/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "ctl/protocol.h"
#include "ctl/sealed.h"
#include "fake/people.h"

enum {
    DEADLINE_MS = 10000,
    LONGEST = 100 * 1024, /* more than a frame holds */
};

static const char note[] = "bytes in a memfd";

/* --- the server's side, in the child --- */

static enum ctl_code on_bytes(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = sealed_read(call->fd, LONGEST, &bytes, &size);

    (void)context;
    *ret_answer =
        r == 0 && size < 64 ? json_stringn((const char *)bytes, size) : json_integer(r == 0 ? (json_int_t)size : r);
    return CTL_CODE_OK;
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static enum ctl_code on_count(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    assert_int_equal(call->fd, -1);
    *ret_answer = json_integer(open_descriptors());
    return CTL_CODE_OK;
}

static const struct ctl_verb verbs[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_count},
    {CTL_APPLY, CTL_PERMIT_ROOT | CTL_FD, on_bytes},
};

static int setup(void **state)
{
    return fixture_start(state, verbs, ELEMENTS(verbs), NULL);
}

/* --- the client's side --- */

static int ask(const struct fake_ctl *f, uint16_t request, int fd, uint32_t *ret_code, json_t **ret)
{
    struct ctl_client c = {.socket = -1};
    int r = ctl_client_open(f->directory, &c);

    if (r == 0)
        r = ctl_client_ask_fd(&c, request, NULL, fd, DEADLINE_MS, ret_code, ret);
    ctl_client_close(&c);
    return r;
}

static json_int_t descriptors_of(const struct fake_ctl *f)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    json_int_t n;

    assert_int_equal(ask(f, CTL_STATUS, -1, &code, &answer), 0);
    n = json_integer_value(answer);
    json_decref(answer);
    return n;
}

/* A connection that takes its time to be closed costs the server the descriptor of the process that closes it. */
static void expect_descriptors(const struct fake_ctl *f, json_int_t n)
{
    uint64_t end = clock_boottime_us() + DEADLINE_MS * UINT64_C(1000);
    json_int_t now;

    while ((now = descriptors_of(f)) != n && clock_boottime_us() < end)
        (void)poll(NULL, 0, 10);
    assert_int_equal(now, n);
}

static void test_bytes_arrive(void **state)
{
    uint32_t code = CTL_CODE_FAILED;
    json_int_t before = descriptors_of(*state);
    json_t *answer = NULL;
    uint8_t *bytes = calloc(1, LONGEST);
    int fd = sealed_make(note, sizeof(note) - 1);

    assert_true(fd >= 0);
    assert_int_equal(ask(*state, CTL_APPLY, fd, &code, &answer), 0);
    assert_int_equal(code, CTL_CODE_OK);
    assert_string_equal(json_string_value(answer), note);
    json_decref(answer);
    close_fd(fd);
    fd = sealed_make(bytes, LONGEST);
    assert_int_equal(ask(*state, CTL_APPLY, fd, &code, &answer), 0);
    assert_int_equal(json_integer_value(answer), LONGEST);
    json_decref(answer);
    close_fd(fd);
    free(bytes);
    expect_descriptors(*state, before);
}

static void test_without_an_fd(void **state)
{
    uint32_t code = CTL_CODE_OK;
    json_t *answer = NULL;

    assert_int_equal(ask(*state, CTL_APPLY, -1, &code, &answer), 0);
    assert_int_equal(code, CTL_CODE_INVALID);
    json_decref(answer);
}

/* What could still be changed, or could make its reader wait, is not read. */
static void test_what_is_not_sealed(void **state)
{
    int pipes[2], fds[5];
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    fds[0] = pipes[0];
    fds[1] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    fds[2] = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fds[3] = memfd_create("half", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(fds[3], F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    fds[4] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < ELEMENTS(fds); i++) {
        assert_true(fds[i] >= 0);
        assert_int_equal(ask(*state, CTL_APPLY, fds[i], &code, &answer), 0);
        assert_int_equal(json_integer_value(answer), SEALED_E_NOT_SEALED);
        json_decref(answer);
        close_fd(fds[i]);
    }
    close_fd(pipes[1]);
}

static void test_too_long(void **state)
{
    uint8_t *bytes = calloc(1, LONGEST + 1);
    int fd = sealed_make(bytes, LONGEST + 1);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    assert_true(fd >= 0);
    assert_int_equal(ask(*state, CTL_APPLY, fd, &code, &answer), 0);
    assert_int_equal(json_integer_value(answer), SEALED_E_TOO_LONG);
    json_decref(answer);
    close_fd(fd);
    free(bytes);
}

static void test_elsewhere_it_ends_the_connection(void **state)
{
    json_int_t before = descriptors_of(*state);
    int fd = sealed_make(note, sizeof(note));
    uint32_t code = CTL_CODE_OK;
    json_t *answer = NULL;
    int r = ask(*state, CTL_STATUS, fd, &code, &answer);

    assert_true(r == -ENODATA || r == -ECONNRESET);
    close_fd(fd);
    expect_descriptors(*state, before);
}

static void test_more_than_one(void **state)
{
    static const uint8_t header[FRAME_HEADER_SIZE] = {0, 0, 0, 0, CTL_APPLY};
    json_int_t before = descriptors_of(*state);
    int fd = sealed_make(note, sizeof(note));

    for (size_t n = 2; n <= FIXTURE_FDS_MAX; n += 7) {
        struct ctl_client c = {.socket = -1};
        uint32_t code = CTL_CODE_OK;
        json_t *answer = NULL;
        int r;

        assert_int_equal(ctl_client_open(((struct fake_ctl *)*state)->directory, &c), 0);
        assert_int_equal(fixture_send_fds(c.socket, header, sizeof(header), 0, fd, n), sizeof(header));
        r = ctl_client_next(&c, DEADLINE_MS, &code, &answer);
        assert_true(r == -ENODATA || r == -ECONNRESET);
        ctl_client_close(&c);
    }
    close_fd(fd);
    expect_descriptors(*state, before);
}

/* --- other people --- */

static int as_nobody(const struct fake_ctl *f, uint16_t request)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = sealed_make(note, sizeof(note));
        uint32_t code = 90;
        json_t *answer = NULL;
        int r;

        become(NOBODY);
        r = ask(f, request, fd, &code, &answer);
        json_decref(answer);
        _exit(r == 0 ? (int)code : r == -ENODATA || r == -ECONNRESET ? 80 : 81);
    }
    return exit_status_of(pid);
}

static void test_others(void **state)
{
    if (getuid() != 0)
        skip_because("needs root to become another user");
    assert_int_equal(as_nobody(*state, CTL_APPLY), CTL_CODE_DENIED);
    assert_int_equal(as_nobody(*state, CTL_STATUS), 80);
    assert_true(descriptors_of(*state) > 0);
}

/* --- what takes its time to be given up --- */

enum {
    LINGER_S = 40,
    PATIENCE_US = 20 * 1000000, /* far less than that, and enough for a busy machine */
    ROOM = 16,                  /* connections of one user */
};

/* A TCP connection with bytes that its other end, which stays open and unread, keeps waiting for. */
static int lingering_socket(void)
{
    static const uint8_t bytes[65536];
    struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(listener, (struct sockaddr *)&a, size) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&a, &size) < 0 || connect(fd, (struct sockaddr *)&a, size) < 0 ||
        accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0)
        return -1;
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ? -1 : fd;
}

static void send_last(int socket, const uint8_t *bytes, size_t size, int flags)
{
    int fd = lingering_socket();

    if (fd < 0 || fixture_send_fds(socket, bytes, size, flags, fd, 1) < 0)
        _exit(1);
    (void)close(fd);
}

enum manner {
    WITH_A_REQUEST,
    WITH_HALF_A_REQUEST,
    URGENT,
    BEHIND_SOMETHING_WRONG,
    WHERE_THERE_IS_NO_ROOM
};

static const uint8_t status_request[FRAME_HEADER_SIZE] = {0, 0, 0, 0, CTL_STATUS};

static void pass_in_manner(const struct fake_ctl *f, enum manner manner)
{
    static const uint8_t wrong[FRAME_HEADER_SIZE] = {0xff, 0xff, 0xff, 0xff};
    struct ctl_client c[ROOM + 1];
    size_t n = manner == WHERE_THERE_IS_NO_ROOM ? ROOM + 1 : 1;

    for (size_t i = 0; i < n; i++)
        if (ctl_client_open(f->directory, &c[i]) < 0)
            _exit(1);
    if (manner == BEHIND_SOMETHING_WRONG && send(c[0].socket, wrong, sizeof(wrong), MSG_NOSIGNAL) < 0)
        _exit(1);
    send_last(c[n - 1].socket, status_request,
              manner == WITH_HALF_A_REQUEST ? 3
              : manner == URGENT            ? 1
                                            : FRAME_HEADER_SIZE,
              manner == URGENT ? MSG_OOB : 0);
    if (manner == URGENT)
        (void)send(c[0].socket, status_request, sizeof(status_request), MSG_NOSIGNAL);
    for (size_t i = 0; i < n; i++)
        ctl_client_close(&c[i]);
}

/* Returns the process that keeps the other ends. */
static pid_t nobody_passes(const struct fake_ctl *f, enum manner manner)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(kill(f->pid, SIGSTOP), 0); /* it finds all of it at once */
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(NOBODY);
        pass_in_manner(f, manner);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    close_fd(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close_fd(ready[0]);
    assert_int_equal(kill(f->pid, SIGCONT), 0);
    return pid;
}

/* The last reference to what others sent is not given up by the server: closing it may take as long as they like. */
static void test_nobody_makes_it_wait(void **state)
{
    static const enum manner manners[] = {WITH_A_REQUEST, WITH_HALF_A_REQUEST, URGENT, BEHIND_SOMETHING_WRONG,
                                          WHERE_THERE_IS_NO_ROOM};
    json_int_t before;

    if (getuid() != 0)
        skip_because("needs root to become another user");
    before = descriptors_of(*state);
    for (size_t i = 0; i < ELEMENTS(manners); i++) {
        pid_t pid = nobody_passes(*state, manners[i]);
        uint64_t began = clock_boottime_us(), took;
        int status;

        /* Twice: the first may be answered before it comes to the other connection. */
        assert_true(descriptors_of(*state) > 0);
        assert_true(descriptors_of(*state) > 0);
        took = clock_boottime_us() - began;
        if (took > PATIENCE_US)
            fail_msg("manner %d: answered after %llu us", (int)manners[i], (unsigned long long)took);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    expect_descriptors(*state, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_arrive, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_without_an_fd, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_what_is_not_sealed, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_too_long, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_elsewhere_it_ends_the_connection, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_more_than_one, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_others, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_nobody_makes_it_wait, setup, fixture_stop),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

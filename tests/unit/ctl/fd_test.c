/* One sealed fd with the requests that take one; elsewhere it ends the connection. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "ctl/client.h"
#include "ctl/protocol.h"
#include "ctl/sealed.h"
#include "ctl/server.h"
#include "fake/ctl_server.h"

enum {
    DEADLINE_MS = 10000,
    NOBODY = 65534,
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
    static struct fake_ctl f;

    f = (struct fake_ctl){0};
    *state = &f;
    return fake_ctl_start(&f, verbs, ELEMENTS(verbs), NULL);
}

/* A server that crashed or leaked memory fails the test that made it do so. */
static int teardown(void **state)
{
    return fake_ctl_stop(*state) == 0 ? 0 : -1;
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
    assert_int_equal(descriptors_of(*state), before);
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
    assert_int_equal(descriptors_of(*state), before);
}

/* n fds with one frame, by hand: frame_send() does not do such a thing. */
static void send_fds(int socket, uint16_t request, int fd, size_t n)
{
    uint8_t header[FRAME_HEADER_SIZE] = {0, 0, 0, 0, (uint8_t)request};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = header, .iov_len = sizeof(header)};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    assert_int_equal(sendmsg(socket, &m, MSG_NOSIGNAL), sizeof(header));
}

static void test_more_than_one(void **state)
{
    json_int_t before = descriptors_of(*state);
    int fd = sealed_make(note, sizeof(note));

    for (size_t n = 2; n <= 16; n += 7) {
        struct ctl_client c = {.socket = -1};
        uint32_t code = CTL_CODE_OK;
        json_t *answer = NULL;
        int r;

        assert_int_equal(ctl_client_open(((struct fake_ctl *)*state)->directory, &c), 0);
        send_fds(c.socket, CTL_APPLY, fd, n);
        r = ctl_client_next(&c, DEADLINE_MS, &code, &answer);
        assert_true(r == -ENODATA || r == -ECONNRESET);
        ctl_client_close(&c);
    }
    close_fd(fd);
    assert_int_equal(descriptors_of(*state), before);
}

/* --- other people --- */

static int as_nobody(const struct fake_ctl *f, uint16_t request)
{
    int status = -1;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = sealed_make(note, sizeof(note));
        uint32_t code = 90;
        json_t *answer = NULL;
        int r;

        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
            _exit(99);
        r = ask(f, request, fd, &code, &answer);
        json_decref(answer);
        _exit(r == 0 ? (int)code : r == -ENODATA || r == -ECONNRESET ? 80 : 81);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static void test_others(void **state)
{
    if (getuid() != 0)
        skip_because("needs root to become another user");
    assert_int_equal(as_nobody(*state, CTL_APPLY), CTL_CODE_DENIED);
    assert_int_equal(as_nobody(*state, CTL_STATUS), 80);
    assert_true(descriptors_of(*state) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_an_fd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere_it_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

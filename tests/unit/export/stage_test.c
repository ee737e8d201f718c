/* The stager in a process of its own, as in life; the test is kuraband and the client. */
#include "export/stage.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/child.h"
#include "export/link.h"
#include "export/protocol.h"
#include "scratch.h"

enum {
    STAGER_ERROR = 99,
    CLIENT_MS = 3000,
    SLOW_FILES = 60,
};

struct fixture {
    char dir[64];
    int client, control, staged, list;
    uint64_t *pulse;
    pid_t pid;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    int client[2], control[2], little = 8192; /* what is not read is soon in the way */

    (void)snprintf(x->dir, sizeof(x->dir), "/tmp/kuraban-stage-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
    assert_int_equal(setsockopt(client[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    x->staged = memfd_create("staged", MFD_CLOEXEC);
    x->list = memfd_create("list", MFD_CLOEXEC);
    x->pulse = child_pulse_new();
    x->client = client[0];
    x->control = control[0];
    x->pid = fork();
    assert_true(x->pid >= 0);
    if (x->pid == 0) {
        const struct stage_options o = {client[1], control[1], x->staged, 1 << 20, CLIENT_MS, x->pulse};
        struct export_members m = {0};
        int r;

        close(client[0]);
        close(control[0]);
        r = stage_run(&o, &m);
        if (r == 0)
            r = export_members_save(&m, x->list);
        _exit(r < 0 ? STAGER_ERROR : r);
    }
    close(client[1]);
    close(control[1]);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    scratch_remove(x->dir);
    close_fd(x->client);
    close_fd(x->control);
    close(x->staged);
    close(x->list);
    child_pulse_free(x->pulse);
    free(x);
    return 0;
}

static int result(struct fixture *x)
{
    int status;

    assert_int_equal(waitpid(x->pid, &status, 0), x->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void path_of(struct fixture *x, const char *name, char ret[static 128])
{
    (void)snprintf(ret, 128, "%s/%s", x->dir, name);
}

static void make(struct fixture *x, const char *name, const char *content)
{
    char path[128];
    int fd;

    path_of(x, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void pass_fd(struct fixture *x, const char *name, int fd)
{
    struct buf b;

    buf_init(&b, 1024);
    assert_int_equal(buf_add_string(&b, name), 0);
    assert_int_equal(frame_send(x->client, EXPORT_FILE, 0, &b, fd, 1000), 0);
    buf_done(&b);
}

static void pass(struct fixture *x, const char *name, const char *file)
{
    char path[128];
    int fd;

    path_of(x, file, path);
    fd = open(path, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    pass_fd(x, name, fd);
    close(fd);
}

static void begin(struct fixture *x)
{
    uint32_t pid = 0;

    assert_int_equal(link_receive(x->control, EXPORT_STAGER, 5000, "4", &pid), 0);
    assert_int_equal(pid, x->pid);
    assert_int_equal(link_send(x->control, EXPORT_STAGE, ""), 0);
}

static void decide(struct fixture *x, uint32_t index, const char *name, uint64_t size, uint32_t error, bool allow)
{
    _cleanup_free_ char *got = NULL;
    uint32_t i = 99, e = 99;
    uint64_t s = 99;

    assert_int_equal(link_receive(x->control, EXPORT_OPENED, 5000, "4s84", &i, &got, &s, &e), 0);
    assert_int_equal(i, index);
    assert_string_equal(got, name);
    assert_int_equal(s, size);
    assert_int_equal(e, error);
    assert_int_equal(link_send(x->control, EXPORT_VERDICT, "1ss", allow ? 1U : 0U, allow ? "rule" : "size", "out"), 0);
}

static void expect_staged(struct fixture *x, uint32_t index, uint64_t size, const char *content)
{
    _cleanup_free_ char *got = NULL;
    char hex[DIGEST_HEX_SIZE];
    struct digest d;
    uint32_t i = 99;
    uint64_t s = 99;

    assert_int_equal(digest_bytes(content, strlen(content), &d), 0);
    digest_to_hex(&d, hex);
    assert_int_equal(link_receive(x->control, EXPORT_STAGED, 5000, "48s", &i, &s, &got), 0);
    assert_int_equal(i, index);
    assert_int_equal(s, size);
    assert_string_equal(got, hex);
}

static void decide_again(struct fixture *x, uint32_t index, uint32_t error, bool allow)
{
    uint32_t i = 99, e = 99;

    assert_int_equal(link_receive(x->control, EXPORT_AGAIN, 5000, "44", &i, &e), 0);
    assert_int_equal(i, index);
    assert_int_equal(e, error);
    assert_int_equal(link_send(x->control, EXPORT_VERDICT, "1ss", allow ? 1U : 0U, allow ? "rule" : "moved", "out"), 0);
}

static void end_files(struct fixture *x, uint32_t n)
{
    uint32_t got = 0;

    assert_int_equal(link_receive(x->control, EXPORT_OPENED_END, 5000, "4", &got), 0);
    assert_int_equal(got, n);
}

static void test_stages_what_is_permitted(void **state)
{
    struct fixture *x = *state;
    struct export_members m = {0};
    char content[16] = "";

    make(x, "one", "first");
    make(x, "two", "second!");
    begin(x);
    pass(x, "a.txt", "one");
    pass(x, "A.TXT", "two");
    pass(x, "x\nz", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a.txt", 5, 0, true);
    decide(x, 1, "A (2).TXT", 7, 0, true);
    decide(x, 2, "x_z", 5, 0, true);
    end_files(x, 3);
    assert_int_equal(lseek(x->staged, 0, SEEK_END), 0); /* nothing before kuraband says so */
    assert_int_equal(link_send(x->control, EXPORT_COPY, ""), 0);
    expect_staged(x, 0, 5, "first");
    expect_staged(x, 1, 7, "second!");
    expect_staged(x, 2, 5, "first");
    for (uint32_t i = 0; i < 3; i++)
        decide_again(x, i, 0, true);
    assert_int_equal(result(x), 0);
    assert_int_equal(pread(x->staged, content, 15, 4), 13);
    assert_string_equal(content, "tsecond!first");
    assert_int_equal(export_members_load(x->list, 17, &m), 0);
    assert_int_equal(m.n, 3);
    export_members_done(&m);
}

/* Once for each step, and for all that was read: who waits for it counts on that. */
static void test_beats_for_what_it_does(void **state)
{
    struct fixture *x = *state;
    _cleanup_free_ char *hex = NULL;
    uint64_t size = 0;
    uint32_t i = 0;
    char path[128];

    make(x, "one", "");
    path_of(x, "one", path);
    assert_int_equal(truncate(path, 8 * STAGE_BEAT), 0);
    begin(x);
    pass(x, "a", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", 8 * STAGE_BEAT, 0, true);
    end_files(x, 1);
    assert_int_equal(link_send(x->control, EXPORT_COPY, ""), 0);
    assert_int_equal(link_receive(x->control, EXPORT_STAGED, 5000, "48s", &i, &size, &hex), 0);
    decide_again(x, 0, 0, true);
    assert_int_equal(result(x), 0);
    assert_int_equal(*x->pulse, 3 + 8); /* opened, begun, opened again */
}

/* What is in another place when it has been copied, or cannot be opened any more by who asks: nothing of it goes on. */
static void test_asks_again(void **state)
{
    struct fixture *x = *state;
    _cleanup_free_ char *reason = NULL;
    uint32_t index = 0;

    make(x, "one", "first");
    make(x, "two", "second!");
    begin(x);
    pass(x, "a", "one");
    pass(x, "b", "two");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", 5, 0, true);
    decide(x, 1, "b", 7, 0, true);
    end_files(x, 2);
    assert_int_equal(link_send(x->control, EXPORT_COPY, ""), 0);
    expect_staged(x, 0, 5, "first");
    expect_staged(x, 1, 7, "second!");
    decide_again(x, 0, 0, true);
    decide_again(x, 1, 0, false);
    do {
        struct frame f;

        frame_init(&f);
        assert_int_equal(frame_receive(&f, x->client, 5000), 0);
        index = f.type;
        if (f.type == EXPORT_REFUSED) {
            struct buf_reader in = {.data = f.body.data, .size = f.body.size};

            assert_int_equal(buf_get_u32(&in, &index), 0);
            assert_int_equal(buf_get_string(&in, 64, &reason), 0);
        }
        frame_done(&f);
    } while (!reason);
    assert_int_equal(index, 1);
    assert_string_equal(reason, "moved");
    assert_int_equal(result(x), STAGE_E_REFUSED);
}

static void test_one_refused_is_all_refused(void **state)
{
    struct fixture *x = *state;
    _cleanup_free_ char *reason = NULL, *rule = NULL;
    uint32_t index = 0;

    make(x, "one", "first");
    begin(x);
    pass(x, "a", "one");
    pass(x, "b", "one");
    pass(x, "c", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", 5, 0, true);
    decide(x, 1, "b", 5, 0, false);
    decide(x, 2, "c", 5, 0, true); /* asked all the same: a person hears of everything at once */
    assert_int_equal(link_receive(x->client, EXPORT_REFUSED, 5000, "4ss", &index, &reason, &rule), 0);
    assert_int_equal(index, 1);
    assert_string_equal(reason, "size");
    assert_string_equal(rule, "out");
    assert_int_equal(result(x), STAGE_E_REFUSED);
    assert_int_equal(lseek(x->staged, 0, SEEK_END), 0);
}

/* Not opened, whatever kuraband says. */
static void test_what_is_no_file(void **state)
{
    struct fixture *x = *state;
    char path[128];
    int pair[2];

    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    path_of(x, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    begin(x);
    pass(x, "dir", ".");
    pass(x, "fifo", "fifo");
    pass_fd(x, "pipe", pair[0]);
    pass_fd(x, "socket", x->control);
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "dir", 0, EISDIR, true);
    decide(x, 1, "fifo", 0, EINVAL, true);
    decide(x, 2, "pipe", 0, EINVAL, true);
    decide(x, 3, "socket", 0, EINVAL, true);
    assert_int_equal(result(x), STAGE_E_REFUSED);
    close(pair[0]);
    close(pair[1]);
}

/* Another size is another file than the one that was permitted. */
static void is_changed_by(struct fixture *x, const char *content)
{
    make(x, "one", "first");
    begin(x);
    pass(x, "a", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", 5, 0, true);
    end_files(x, 1);
    make(x, "one", content);
    assert_int_equal(link_send(x->control, EXPORT_COPY, ""), 0);
    assert_int_equal(result(x), STAGE_E_CHANGED);
}

static void test_grows(void **state)
{
    is_changed_by(*state, "first and more");
}

static void test_shrinks(void **state)
{
    is_changed_by(*state, "");
}

static void test_too_much_for_this_machine(void **state)
{
    struct fixture *x = *state;
    char path[128];

    make(x, "one", "first");
    path_of(x, "one", path);
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    begin(x);
    pass(x, "a", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", (1 << 20) + 1, 0, true);
    assert_int_equal(result(x), STAGE_E_FULL);
}

static void test_kuraband_is_asked_first(void **state)
{
    struct fixture *x = *state;

    make(x, "one", "first");
    pass(x, "a", "one");
    x->control = close_fd(x->control);
    assert_int_equal(result(x), STAGE_E_STOPPED);
}

static void test_kuraband_stops_it(void **state)
{
    struct fixture *x = *state;

    make(x, "one", "first");
    begin(x);
    pass(x, "a", "one");
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    decide(x, 0, "a", 5, 0, true);
    end_files(x, 1);
    assert_int_equal(link_send(x->control, EXPORT_STOP, "ss", "policy", ""), 0);
    assert_int_equal(result(x), STAGE_E_STOPPED);
    assert_int_equal(lseek(x->staged, 0, SEEK_END), 0);
}

static void test_client_leaves(void **state)
{
    struct fixture *x = *state;

    begin(x);
    x->client = close_fd(x->client);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

static void test_client_says_something_else(void **state)
{
    struct fixture *x = *state;

    begin(x);
    assert_int_equal(link_send(x->client, EXPORT_RESULT, "1ss", 1U, "", ""), 0);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

static void test_file_without_descriptor(void **state)
{
    struct fixture *x = *state;

    begin(x);
    assert_int_equal(link_send(x->client, EXPORT_FILE, "s", "a"), 0);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

static void test_no_files(void **state)
{
    struct fixture *x = *state;

    begin(x);
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

static void test_bad_name(void **state)
{
    struct fixture *x = *state;

    make(x, "one", "first");
    begin(x);
    pass(x, "..", "one");
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

/* One export runs at a time: who sends a file now and then would keep everybody else from theirs. */
static void test_client_takes_its_time(void **state)
{
    struct fixture *x = *state;
    uint64_t begun_us;
    struct buf b;
    int r = 0;

    make(x, "one", "first");
    begin(x);
    pass(x, "a", "one");
    begun_us = clock_boottime_us();
    buf_init(&b, 1024);
    assert_int_equal(buf_add_string(&b, "b"), 0);
    while (r == 0 && clock_boottime_us() - begun_us < 5 * (uint64_t)CLIENT_MS * 1000) {
        struct pollfd p = {.fd = x->client, .events = POLLRDHUP};
        int fd = memfd_create("file", MFD_CLOEXEC);

        (void)poll(&p, 1, CLIENT_MS / 4); /* the other end closes, or a part of its patience is over */
        r = frame_send(x->client, EXPORT_FILE, 0, &b, fd, 1000);
        close_fd(fd);
    }
    buf_done(&b);
    assert_true(r < 0);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

/* Nor by reading a word now and then. */
static void test_client_reads_slowly(void **state)
{
    struct fixture *x = *state;
    uint64_t begun_us;
    char name[16];
    int r = 0;

    make(x, "one", "first");
    begin(x);
    for (uint32_t i = 0; i < SLOW_FILES; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        pass(x, name, "one");
    }
    assert_int_equal(link_send(x->client, EXPORT_FILES_END, ""), 0);
    for (uint32_t i = 0; i < SLOW_FILES; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        decide(x, i, name, 5, 0, true);
    }
    end_files(x, SLOW_FILES);
    assert_int_equal(link_send(x->control, EXPORT_COPY, ""), 0);
    begun_us = clock_boottime_us();
    while (r >= 0 && clock_boottime_us() - begun_us < 5 * (uint64_t)CLIENT_MS * 1000) {
        struct pollfd p = {.fd = x->client, .events = POLLRDHUP};
        struct frame f;

        (void)poll(&p, 1, CLIENT_MS / 4); /* the other end closes, or a part of its patience is over */
        frame_init(&f);
        r = frame_receive(&f, x->client, 5000);
        frame_done(&f);
    }
    assert_true(r < 0);
    assert_int_equal(result(x), STAGE_E_CLIENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stages_what_is_permitted),
        TEST(test_beats_for_what_it_does),
        TEST(test_asks_again),
        TEST(test_one_refused_is_all_refused),
        TEST(test_what_is_no_file),
        TEST(test_grows),
        TEST(test_shrinks),
        TEST(test_too_much_for_this_machine),
        TEST(test_kuraband_is_asked_first),
        TEST(test_kuraband_stops_it),
        TEST(test_client_takes_its_time),
        TEST(test_client_reads_slowly),
        TEST(test_client_leaves),
        TEST(test_client_says_something_else),
        TEST(test_file_without_descriptor),
        TEST(test_no_files),
        TEST(test_bad_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

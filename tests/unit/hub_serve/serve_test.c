/* The centre's process without a broker: its parts in their order, what they are told, and how it ends. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "hub/serve/serve.h"
#include "hub/store/groups.h"
#include "scratch.h"

static const struct hub_actor actor = {.name = "local:tanaka", .now_us = INT64_C(1800000000) * 1000000};

static struct {
    char path[64], place[80];
    struct centre centre, beside; /* beside: as a verb at the command line has it open */
    char log[64];                 /* what was called */
    const struct hub_serve *given;
    int start_result;
    int (*then)(void); /* what happens once all have started */
} t;

static void note(char what)
{
    size_t n = strlen(t.log);

    assert_true(n + 1 < sizeof(t.log));
    t.log[n] = what;
}

static int on_then(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source, (void)usec, (void)context;
    return t.then ? t.then() : 0;
}

static int start_a(const struct hub_serve *serve, void **ret)
{
    note('a');
    t.given = serve;
    *ret = &t;
    return sd_event_add_time(serve->event, NULL, CLOCK_BOOTTIME, clock_boottime_us(), 0, on_then, NULL);
}

static void changed_a(void *part)
{
    assert_ptr_equal(part, &t);
    note('c');
    (void)kill(getpid(), SIGTERM);
}

static void stop_a(void *part)
{
    assert_ptr_equal(part, &t);
    note('A');
}

static int start_b(const struct hub_serve *serve, void **ret)
{
    note('b');
    assert_string_equal(serve->organization, "matsudo.example");
    assert_non_null(serve->head);
    assert_non_null(serve->link);
    *ret = NULL;
    return t.start_result;
}

static void stop_b(void *part)
{
    assert_null(part);
    note('B');
}

static const struct hub_part a = {.name = "a", .start = start_a, .store_changed = changed_a, .stop = stop_a},
                             b = {.name = "b", .start = start_b, .stop = stop_b};

static int serve(void)
{
    static const struct hub_part *const parts[] = {&a, &b, NULL};
    static const char *const brokers[] = {"tls://127.0.0.1:1", NULL}; /* nobody is there */
    const struct hub_serve_settings settings = {.brokers = brokers, .parts = parts};

    memset(t.log, 0, sizeof(t.log));
    return hub_serve_run(&t.centre, &settings);
}

static int begin(void **state)
{
    static const char *const names[] = {"hub.example", NULL};
    const struct centre_settings settings = {
        .directory = t.place, .organization = "matsudo.example", .names = names, .listen = "127.0.0.1", .port = 4222};
    struct centre_complaint complaint;
    struct centre_made made;

    (void)state;
    (void)snprintf(t.path, sizeof(t.path), "/tmp/kuraban-serve.XXXXXX");
    assert_non_null(mkdtemp(t.path));
    (void)snprintf(t.place, sizeof(t.place), "%s/centre", t.path);
    assert_int_equal(centre_create(&settings, &actor, &made, &complaint), CENTRE_OK);
    centre_made_done(&made);
    assert_int_equal(centre_open(t.place, actor.now_us, &t.centre), CENTRE_OK);
    assert_int_equal(centre_open(t.place, actor.now_us, &t.beside), CENTRE_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    centre_close(&t.centre);
    centre_close(&t.beside);
    scratch_remove(t.path);
    return 0;
}

/* --- */

static int ask_to_stop(void)
{
    return kill(getpid(), SIGTERM) < 0 ? -errno : 0;
}

static void test_order(void **state)
{
    (void)state;
    t.then = ask_to_stop;
    assert_int_equal(serve(), HUB_SERVE_OK);
    assert_string_equal(t.log, "abBA");
}

static void test_start_fails(void **state)
{
    (void)state;
    t.start_result = -ENOTUNIQ;
    assert_int_equal(serve(), -ENOTUNIQ);
    t.start_result = 0;
    assert_string_equal(t.log, "abA");
}

static int part_fails(void)
{
    hub_serve_fail(t.given, -EBADE);
    hub_serve_fail(t.given, -EIO); /* the first one counts */
    return 0;
}

static void test_part_fails(void **state)
{
    (void)state;
    t.then = part_fails;
    assert_int_equal(serve(), -EBADE);
    assert_string_equal(t.log, "abBA");
}

static int commit_something(void)
{
    assert_int_equal(hub_store_begin(t.beside.store), 0);
    assert_int_equal(hub_setting_set(t.beside.store, "no-act", "x"), 0);
    return hub_store_commit(t.beside.store);
}

static int on_late(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source, (void)usec, (void)context;
    assert_string_equal(t.log, "ab"); /* nobody was told of what is no administrator's */
    return hub_group_create(t.beside.store, &actor, "kazei");
}

static int change_store(void)
{
    assert_int_equal(commit_something(), 0);
    return sd_event_add_time(t.given->event, NULL, CLOCK_BOOTTIME, clock_boottime_us() + 600 * 1000, 0, on_late, NULL);
}

static void test_store_changed(void **state)
{
    (void)state;
    t.then = change_store;
    assert_int_equal(serve(), HUB_SERVE_OK);
    assert_string_equal(t.log, "abcBA");
}

static int second_process(void)
{
    struct centre other;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        static const struct hub_part *const none[] = {NULL};
        const struct hub_serve_settings settings = {.parts = none};
        int r = centre_open(t.place, actor.now_us, &other);

        _exit(r == CENTRE_OK ? hub_serve_run(&other, &settings) : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), HUB_SERVE_E_RUNNING);
    return ask_to_stop();
}

static void test_one_process(void **state)
{
    (void)state;
    t.then = second_process;
    assert_int_equal(serve(), HUB_SERVE_OK);
}

static void test_keys(void **state)
{
    char key[128];

    (void)state;
    (void)snprintf(key, sizeof(key), "%s/keys/head.key", t.place);
    assert_int_equal(chmod(key, 0640), 0);
    assert_int_equal(serve(), HUB_SERVE_E_KEYS);
    assert_string_equal(t.log, "");
    assert_int_equal(chmod(key, 0600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_start_fails), cmocka_unit_test(test_part_fails),
        cmocka_unit_test(test_store_changed), cmocka_unit_test(test_one_process), cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

/* The way to the journal when the disk says no: the gate is told once, told again when it is over, and nothing is lost. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "audit/journal.h"
#include "base/cleanup.h"
#include "daemon/recorder.h"
#include "daemon/refusals.h"
#include "policy/policy.h"

struct stage {
    char directory[64];
    int fd, error; /* error: what fdatasync says, 0 works */
    unsigned told;
    bool full;
    sd_event *loop;
    struct refusals *refusals;
    struct recorder *recorder;
};

static int failing_fdatasync(void *context, int fd)
{
    struct stage *s = context;

    if (s->error == 0)
        return fdatasync(fd);
    errno = s->error;
    return -1;
}

static void on_full(void *context, bool full)
{
    struct stage *s = context;

    s->told++;
    s->full = full;
}

static int setup(void **state)
{
    static struct journal_ops ops = {.fdatasync = failing_fdatasync};
    struct stage *s = calloc(1, sizeof(*s));
    struct recorder_options options = {.ops = &ops, .on_full = on_full, .context = s};

    if (!s)
        return -1;
    ops.context = s;
    (void)snprintf(s->directory, sizeof(s->directory), "/tmp/recorder-test.XXXXXX");
    if (!mkdtemp(s->directory))
        return -1;
    s->fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0 || sd_event_new(&s->loop) < 0 || refusals_new(&s->refusals) < 0)
        return -1;
    options.loop = s->loop;
    options.state_directory = s->fd;
    options.refusals = s->refusals;
    *state = s;
    return recorder_new(&options, &s->recorder);
}

static int teardown(void **state)
{
    struct stage *s = *state;
    char command[128];
    int r;

    s->error = 0;
    s->recorder = recorder_free(s->recorder);
    s->refusals = refusals_free(s->refusals);
    sd_event_unref(s->loop);
    close_fd(s->fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", s->directory);
    r = system(command);
    free(s);
    return r;
}

static void add(struct stage *s, const char *message)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_COMMAND);
    audit_set(e.message, sizeof(e.message), message);
    recorder_add(s->recorder, &e);
}

static void test_failing_disk_is_told_and_over(void **state)
{
    struct stage *s = *state;
    uint64_t before;

    add(s, "first");
    assert_int_equal(recorder_sync(s->recorder), 0);
    assert_string_equal(recorder_state_name(s->recorder), "normal");
    assert_int_equal(s->told, 0);
    before = recorder_sequence(s->recorder);

    s->error = EIO;
    add(s, "second");
    assert_int_equal(recorder_sync(s->recorder), -EIO);
    assert_string_equal(recorder_state_name(s->recorder), "failing");
    assert_true(recorder_is_failing(s->recorder));
    assert_true(recorder_is_full(s->recorder));
    assert_true(s->full);
    assert_int_equal(s->told, 1);
    add(s, "third");
    assert_int_equal(recorder_sync(s->recorder), -EIO);
    assert_int_equal(s->told, 1); /* once */
    assert_int_equal(recorder_sequence(s->recorder), before);
    assert_int_equal(recorder_pending(s->recorder), 2);

    s->error = 0;
    assert_int_equal(recorder_sync(s->recorder), 0);
    assert_string_equal(recorder_state_name(s->recorder), "normal");
    assert_false(s->full);
    assert_int_equal(s->told, 2);
    assert_int_equal(recorder_sequence(s->recorder), before + 2);
    assert_int_equal(recorder_pending(s->recorder), 0);
}

/* What is added is durable after turns of the loop, without anybody asking; and after a failure it is tried again. */
static void test_the_loop_commits(void **state)
{
    struct stage *s = *state;
    uint64_t before;

    assert_int_equal(recorder_sync(s->recorder), 0);
    before = recorder_sequence(s->recorder);
    s->error = EIO;
    add(s, "one");
    for (int turns = 0; turns < 100 && !recorder_is_failing(s->recorder); turns++)
        assert_true(sd_event_run(s->loop, 1000000) >= 0);
    assert_true(recorder_is_failing(s->recorder));
    s->error = 0;
    for (int turns = 0; turns < 100 && recorder_pending(s->recorder) > 0; turns++)
        assert_true(sd_event_run(s->loop, 1000000) >= 0);
    assert_int_equal(recorder_sequence(s->recorder), before + 1);
    assert_false(recorder_is_full(s->recorder));
}

static unsigned count_segments(int state, bool *ret_named)
{
    _cleanup_close_ int directory = openat(state, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static char line[1 << 16];
    DIR *d = fdopendir(dup(directory));
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(d);
    rewinddir(d);
    while ((entry = readdir(d))) {
        int fd;
        ssize_t size;

        if (strncmp(entry->d_name, "journal-", 8) != 0 || !strstr(entry->d_name, ".ndjson"))
            continue;
        n++;
        fd = openat(directory, entry->d_name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        size = pread(fd, line, sizeof(line) - 1, 0);
        assert_true(size > 0);
        line[size] = 0;
        *ret_named = *ret_named || strstr(line, "\"policy\":{\"name\":\"課税課\",\"version\":42}");
        (void)close(fd);
    }
    (void)closedir(d);
    return n;
}

/* Name and version of the policy stand in each record, and its segment size acts at once. */
static void test_policy_of_the_records(void **state)
{
    struct stage *s = *state;
    struct policy p = {.refs = 100,
                       .name = (char *)(uintptr_t) "課税課",
                       .version = 42,
                       .audit = {.keep_days = 1096, .segment_size = 64 * 1024}};
    char message[1024] = "";
    bool named = false;
    unsigned before;

    memset(message, 'x', sizeof(message) - 1);
    add(s, message);
    assert_int_equal(recorder_sync(s->recorder), 0);
    before = count_segments(s->fd, &named);
    assert_false(named);
    recorder_set_policy(s->recorder, &p);
    for (unsigned i = 0; i < 200; i++) {
        struct audit_event e;

        audit_event_init(&e, AUDIT_COMMAND);
        audit_set(e.message, sizeof(e.message), message);
        (void)snprintf(e.path, sizeof(e.path), "/%u", i); /* or they would be folded */
        recorder_add(s->recorder, &e);
        assert_int_equal(recorder_sync(s->recorder), 0);
    }
    assert_true(count_segments(s->fd, &named) >= before + 2);
    assert_true(named);
}

static bool journal_has(int state, const char *words)
{
    static char lines[1 << 16];
    int fd = openat(state, "journal/journal-00000000000000000001.ndjson", O_RDONLY | O_CLOEXEC);
    ssize_t size = pread(fd, lines, sizeof(lines) - 1, 0);

    assert_true(size > 0);
    lines[size] = '\0';
    (void)close(fd);
    return strstr(lines, words);
}

/* Memory ran out for a part of a record: it says so, and what waits for it to be durable does not happen. */
static void test_a_record_that_is_not_whole_says_so(void **state)
{
    struct stage *s = *state;
    struct audit_event e;

    audit_event_init(&e, AUDIT_EXPORT_FILE);
    audit_set(e.message, sizeof(e.message), "monthly report");
    recorder_add_with(s->recorder, &e, "export", NULL);
    assert_int_equal(recorder_sync(s->recorder), -ENOMEM);
    assert_true(journal_has(s->fd, "not all of this is recorded: monthly report"));
    assert_true(journal_has(s->fd, "\"kind\":\"alert\",\"action\":\"export-file\""));
    assert_int_equal(recorder_sync(s->recorder), 0); /* it has been told */

    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    recorder_add_with(s->recorder, &e, "export", json_pack("{s:s}", "id", "x"));
    recorder_add_trust(s->recorder, &e, json_null());
    assert_int_equal(recorder_sync(s->recorder), 0);
    assert_true(journal_has(s->fd, "\"export\":{\"id\":\"x\"}"));
    assert_false(journal_has(s->fd, "\"trust\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failing_disk_is_told_and_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_loop_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy_of_the_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_that_is_not_whole_says_so, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A centre is whole or not there, is made once, and is opened by its owner alone. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "hub/centre/centre.h"
#include "hub/store/journal.h"

static const char *const names[] = {"hub.example", "192.0.2.7", NULL};
static const struct hub_actor actor = {.name = "local:tanaka", .now_us = INT64_C(1800000000) * 1000000};

struct fixture {
    char path[64], place[128];
    int fd;
    struct centre_settings settings;
    struct centre_complaint complaint;
};

static int begin(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    (void)snprintf(f.path, sizeof(f.path), "/tmp/kuraban-centre.XXXXXX");
    assert_non_null(mkdtemp(f.path));
    (void)snprintf(f.place, sizeof(f.place), "%s/centre", f.path);
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f.settings = (struct centre_settings){
        .directory = f.place, .organization = "松戸市", .names = names, .listen = "127.0.0.1", .port = 4222};
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    char command[128];

    (void)close(f->fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
    return system(command);
}

static int create(struct fixture *f)
{
    struct centre_made made = {0};
    int r = centre_create(&f->settings, &actor, &made, &f->complaint);

    if (r == CENTRE_OK)
        assert_string_equal(made.directory, f->place);
    centre_made_done(&made);
    return r;
}

/* Entries of the directory around it. */
static int count(const struct fixture *f)
{
    DIR *d = opendir(f->path);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void test_whole(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {
        {"centre", S_IFDIR | 0700},
        {"centre/hub.db", S_IFREG | 0600},
        {"centre/head.pub", S_IFREG | 0644},
        {"centre/keys", S_IFDIR | 0700},
        {"centre/keys/ca.key", S_IFREG | 0600},
        {"centre/keys/head.key", S_IFREG | 0600},
        {"centre/tls/ca.pem", S_IFREG | 0644},
        {"centre/tls/server.key", S_IFREG | 0600},
        {"centre/nats/nats.conf", S_IFREG | 0600},
        {"centre/nats/data", S_IFDIR | 0700},
    };
    struct fixture *f = *state;
    struct digest head;
    struct centre c;
    struct stat st;
    uint64_t seq = 0;
    char *value = NULL;

    assert_int_equal(create(f), CENTRE_OK);
    assert_int_equal(count(f), 1);
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        assert_int_equal(fstatat(f->fd, files[i].name, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, files[i].mode);
    }
    assert_int_equal(fstatat(f->fd, "centre/hub.db-wal", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_OK);
    assert_int_equal(hub_setting_get(c.store, "addresses", &value), 1);
    assert_string_equal(value, "hub.example 192.0.2.7");
    free(value);
    assert_int_equal(hub_journal_walk(c.store, NULL, NULL, &seq, &head), HUB_JOURNAL_WHOLE);
    assert_int_equal(seq, 1);
    centre_close(&c);
}

static void test_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(f->place, 0755), 0); /* an empty one is replaced */
    assert_int_equal(create(f), CENTRE_OK);
    assert_int_equal(create(f), CENTRE_E_NOT_EMPTY);
    assert_int_equal(count(f), 1);
}

static void test_taken(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlinkat("elsewhere", f->fd, "centre"), 0);
    assert_int_equal(create(f), CENTRE_E_NOT_EMPTY);
    assert_int_equal(unlinkat(f->fd, "centre", 0), 0);
    assert_int_equal(mknodat(f->fd, "centre", S_IFREG | 0600, 0), 0);
    assert_int_equal(create(f), CENTRE_E_NOT_EMPTY);
    assert_int_equal(count(f), 1);
    f->settings.directory = "/nonexistent/centre";
    assert_int_equal(create(f), -ENOENT);
    f->settings.directory = "/";
    assert_int_equal(create(f), -EINVAL);
}

/* What a killed process left goes; what a living one fills stays. */
static void test_left_over(void **state)
{
    struct fixture *f = *state;
    int fd;

    assert_int_equal(mkdirat(f->fd, ".centre.unfinished", 0700), 0);
    assert_int_equal(mkdirat(f->fd, ".centre.unfinished/keys", 0700), 0);
    assert_int_equal(symlinkat("/etc", f->fd, ".centre.unfinished/etc"), 0);
    assert_int_equal(mknodat(f->fd, ".centre.unfinished/keys/operator.nk", S_IFREG | 0600, 0), 0);
    fd = openat(f->fd, ".centre.unfinished", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(create(f), CENTRE_E_BUSY);
    assert_int_equal(faccessat(f->fd, ".centre.unfinished/keys/operator.nk", F_OK, 0), 0);
    (void)close(fd);
    assert_int_equal(create(f), CENTRE_OK);
    assert_int_equal(count(f), 1);
    assert_int_equal(faccessat(f->fd, "centre/etc", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void test_certificates(void **state)
{
    static const char *const others[] = {"other.example", NULL};
    struct fixture *f = *state;
    struct hub_ca *ca = NULL;
    char *authority = NULL, *certificate = NULL, *key = NULL;
    struct centre_made made = {0};
    char pin[HUB_CA_PIN_SIZE];

    assert_int_equal(hub_ca_new("city", names, actor.now_us / 1000000, &ca), 0);
    assert_int_equal(hub_ca_certificate(ca, &authority), 0);
    assert_int_equal(hub_ca_issue(ca, names, actor.now_us / 1000000, &certificate, &key), 0);
    f->settings.certificate = certificate;
    f->settings.key = key;
    f->settings.ca = authority;
    f->settings.names = others;
    assert_int_equal(create(f), CENTRE_E_CERTIFICATES);
    assert_int_equal(f->complaint.verdict, HUB_CA_E_NAME);
    assert_string_equal(f->complaint.detail, "other.example");
    assert_int_equal(count(f), 0);
    f->settings.names = names;
    assert_int_equal(centre_create(&f->settings, &actor, &made, &f->complaint), CENTRE_OK);
    assert_int_equal(hub_ca_pin(authority, pin), 0);
    assert_string_equal(made.pin, pin);
    assert_int_equal(faccessat(f->fd, "centre/keys/ca.key", F_OK, 0), -1);
    centre_made_done(&made);
    ca = hub_ca_free(ca);
    free(authority);
    free(certificate);
    key = hub_ca_secret_free(key);
}

static void test_open(void **state)
{
    struct fixture *f = *state;
    struct centre c;

    assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_E_NONE);
    assert_int_equal(mkdir(f->place, 0700), 0);
    assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_E_NONE);
    assert_int_equal(create(f), CENTRE_OK);
    assert_int_equal(chmod(f->place, 0770), 0);
    assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_E_OWNER);
    assert_int_equal(chmod(f->place, 0750), 0);
    assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_OK);
    centre_close(&c);
    if (geteuid() == 0) {
        assert_int_equal(chown(f->place, 65534, 65534), 0);
        assert_int_equal(centre_open(f->place, actor.now_us, &c), CENTRE_E_OWNER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_once, begin, end),
        cmocka_unit_test_setup_teardown(test_taken, begin, end),
        cmocka_unit_test_setup_teardown(test_left_over, begin, end),
        cmocka_unit_test_setup_teardown(test_certificates, begin, end),
        cmocka_unit_test_setup_teardown(test_open, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where the centre is, as a file: what is read is written the same, what is not exactly so is refused, and whose the files are. */
#include "courier/centre.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "test.h"

#define PEM "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
#define PIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define DOCUMENT(urls, jwt, ca, hub, pin)                                                                              \
    "{\"format\": \"kuraban-centre/1\", \"urls\": " urls ", \"jwt\": \"" jwt "\", \"ca\": \"" ca "\", \"hub\": \"" hub \
    "\", \"pin\": \"" pin "\"}"
#define URLS "[\"tls://hub.example:4222\", \"tls://[2001:db8::7]:4222\"]"
#define HUB "https://hub.example:8443"
#define GOOD DOCUMENT(URLS, "eyJ0.eyJ-_.x", PEM, HUB, PIN)

static int parse(const char *text, struct centre *ret)
{
    return centre_parse((const uint8_t *)text, strlen(text), ret, NULL);
}

static void test_read_and_written(void **state)
{
    _cleanup_(centre_done) struct centre c = {0}, again = {0};
    _cleanup_free_ uint8_t *one = NULL, *two = NULL;
    size_t n = 0, m = 0;

    (void)state;
    assert_int_equal(parse(GOOD, &c), TRUST_OK);
    assert_int_equal(c.n_urls, 2);
    assert_string_equal(c.urls[1], "tls://[2001:db8::7]:4222");
    assert_null(c.urls[2]);
    assert_string_equal(c.ca, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    assert_string_equal(c.hub, HUB);
    assert_int_equal(c.pin.bytes[1], 0x11);
    assert_int_equal(centre_format(&c, &one, &n, NULL), TRUST_OK);
    assert_int_equal(centre_parse(one, n, &again, NULL), TRUST_OK);
    assert_int_equal(centre_format(&again, &two, &m, NULL), TRUST_OK);
    assert_int_equal(n, m);
    assert_memory_equal(one, two, n);
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        GOOD "x",
        DOCUMENT("[]", "j", PEM, HUB, PIN),
        DOCUMENT("[7]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"nats://hub.example:4222\"]", "j", PEM, HUB, PIN), /* not over TLS */
        DOCUMENT("[\"tls://hub.example\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://:4222\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://hub.example:0\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://hub.example:65536\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://user@hub.example:4222\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://hub.example/x:4222\"]", "j", PEM, HUB, PIN),
        DOCUMENT("[\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\","
                 "\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\",\"tls://a:1\","
                 "\"tls://a:1\",\"tls://a:1\",\"tls://a:1\"]",
                 "j", PEM, HUB, PIN),
        DOCUMENT(URLS, "", PEM, HUB, PIN),
        DOCUMENT(URLS, "a b", PEM, HUB, PIN),
        DOCUMENT(URLS, "j", "", HUB, PIN),
        DOCUMENT(URLS, "j", "-----BEGIN CERTIFICATE-----\\n", HUB, PIN),
        DOCUMENT(URLS, "j", "/etc/ssl/cert.pem", HUB, PIN),
        DOCUMENT(URLS, "j", PEM, "http://hub.example:80", PIN),
        DOCUMENT(URLS, "j", PEM, HUB, "sha256:00"),
        "{\"format\": \"kuraban-centre/1\"}",
    };
    struct centre c = {0};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        if (parse(wrong[i], &c) == TRUST_OK)
            fail_msg("was read: %s", wrong[i]);
    assert_int_equal(parse("{\"format\": \"kuraban-centre/2\"}", &c), TRUST_E_FORMAT);
}

static void test_files(void **state)
{
    _cleanup_(centre_done) struct centre c = {0}, again = {0};
    _cleanup_(wire_key_freep) struct wire_key *made = NULL, *read = NULL;
    char path[] = "/tmp/kuraban-centre.XXXXXX";
    int state_fd, folder;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(path));
    state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(parse(GOOD, &c), TRUST_OK);
    assert_int_equal(centre_folder(state_fd, geteuid(), getegid(), 0), -ENOENT);
    folder = centre_folder(state_fd, geteuid(), getegid(), 1);
    assert_true(folder >= 0);
    assert_int_equal(centre_read(folder, &again, NULL), -ENOENT);
    assert_int_equal(centre_key_read(folder, &read), -ENOENT);
    assert_int_equal(centre_write(folder, &c, NULL), 0);
    assert_int_equal(centre_key_create(folder, &made), 0);
    assert_int_equal(fstatat(folder, "centre.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(centre_read(folder, &again, NULL), 0);
    assert_string_equal(again.jwt, c.jwt);
    assert_int_equal(centre_key_read(folder, &read), 0);
    assert_string_equal(wire_key_public(made), wire_key_public(read));
    /* What others may read is no secret of ours. */
    assert_int_equal(fchmodat(folder, "wire.nk", 0644, 0), 0);
    read = wire_key_free(read);
    assert_int_equal(centre_key_read(folder, &read), -EPERM);
    assert_int_equal(centre_remove(folder), 0);
    assert_int_equal(centre_read(folder, &again, NULL), -ENOENT);
    assert_int_equal(fchmod(folder, 0755), 0);
    assert_int_equal(centre_folder(state_fd, geteuid(), getegid(), 0), -EPERM);
    close(folder);
    assert_int_equal(unlinkat(state_fd, "courier", AT_REMOVEDIR), 0);
    close(state_fd);
    assert_int_equal(rmdir(path), 0);
}

/* Root writes for the courier with the courier's rights: the files are the courier's, and root is led nowhere else. */
static void test_by_root(void **state)
{
    _cleanup_(centre_done) struct centre c = {0};
    _cleanup_(wire_key_freep) struct wire_key *made = NULL;
    char path[] = "/tmp/kuraban-centre.XXXXXX";
    int state_fd, folder;
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip_because("not root");
    assert_non_null(mkdtemp(path));
    state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(parse(GOOD, &c), TRUST_OK);
    folder = centre_folder(state_fd, 65534, 65534, 1);
    assert_true(folder >= 0);
    assert_int_equal(centre_write(folder, &c, NULL), 0);
    assert_int_equal(centre_key_create(folder, &made), 0);
    assert_int_equal(fstatat(folder, "centre.json", &st, 0), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(fstatat(folder, "wire.nk", &st, 0), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fchown(folder, 0, 0), 0);
    assert_int_equal(fchmod(folder, 0700), 0);
    assert_int_equal(centre_folder(state_fd, 65534, 65534, 0), -EPERM);
    assert_int_equal(fchown(folder, 65534, 65534), 0);
    assert_int_equal(fchmod(folder, 0500), 0); /* root alone could write here */
    assert_int_equal(centre_write(folder, &c, NULL), -EACCES);
    assert_int_equal(fchmod(folder, 0700), 0);
    assert_int_equal(centre_remove(folder), 0);
    assert_int_equal(geteuid(), 0);
    close(folder);
    assert_int_equal(unlinkat(state_fd, "courier", AT_REMOVEDIR), 0);
    close(state_fd);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_written),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_by_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The centre's keys on disk: what was written is read again, and what others could read is not taken. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/keys/keys.h"
#include "policy/trust/write.h"

struct fixture {
    char path[64];
    int fd;
};

static int begin(void **state)
{
    static struct fixture f;

    (void)snprintf(f.path, sizeof(f.path), "/tmp/kuraban-keys.XXXXXX");
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static void test_wire(void **state)
{
    static const char *const names[] = {"operator.nk", "account.nk", "system.nk", "terminals.nk", "hub.nk"};
    struct fixture *f = *state;
    struct hub_keys made = {0}, read = {0};
    struct stat st;

    assert_int_equal(hub_keys_read(f->fd, &read), -ENOENT);
    assert_int_equal(hub_keys_create(f->fd, &made), 0);
    assert_int_equal(hub_keys_read(f->fd, &read), 0);
    assert_string_equal(wire_key_public(made.terminals), wire_key_public(read.terminals));
    assert_string_equal(wire_key_public(made.hub), wire_key_public(read.hub));
    assert_string_not_equal(wire_key_public(made.account), wire_key_public(made.system));
    hub_keys_done(&read);
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        assert_int_equal(fstatat(f->fd, names[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(fchmodat(f->fd, names[i], 0640, 0), 0);
        assert_int_equal(hub_keys_read(f->fd, &read), -EPERM);
        assert_int_equal(fchmodat(f->fd, names[i], 0600, 0), 0);
    }
    /* A link, another kind's seed, nonsense. */
    assert_int_equal(renameat(f->fd, "hub.nk", f->fd, "kept"), 0);
    assert_int_equal(symlinkat("kept", f->fd, "hub.nk"), 0);
    assert_int_equal(hub_keys_read(f->fd, &read), -ELOOP);
    assert_int_equal(renameat(f->fd, "account.nk", f->fd, "hub.nk"), 0);
    assert_int_equal(linkat(f->fd, "system.nk", f->fd, "account.nk", 0), 0);
    assert_int_equal(hub_keys_read(f->fd, &read), -EBADMSG);
    assert_null(read.operator);
    hub_keys_done(&made);
}

static void test_head(void **state)
{
    struct fixture *f = *state;
    char *text = NULL, passphrase[64] = "";
    uint8_t public[TRUST_PUBLIC_SIZE], seen[TRUST_PUBLIC_SIZE];
    struct digest id, again;
    EVP_PKEY *key = NULL;
    const char *pem;
    int fd;

    assert_int_equal(hub_head_create(f->fd, "松戸市 (kuraban-hub)", &text, &id), 0);
    assert_int_equal(strncmp(text, "Name: 松戸市 (kuraban-hub)\n", strlen("Name: 松戸市 (kuraban-hub)\n")), 0);
    pem = strchr(text, '\n') + 1;
    assert_int_equal(trust_key_read_public((const uint8_t *)pem, strlen(pem), public), 0);
    assert_int_equal(trust_key_id(public, &again), 0);
    assert_true(digest_equal(&id, &again));
    assert_int_equal(hub_head_read(f->fd, &key), 0);
    assert_int_equal(trust_key_public(key, seen), 0);
    assert_memory_equal(public, seen, sizeof(seen));
    EVP_PKEY_free(key);
    free(text);

    /* The key alone is nothing. */
    fd = openat(f->fd, "head.passphrase", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, passphrase, sizeof(passphrase)), HUB_HEAD_PASSPHRASE_SIZE);
    assert_int_equal(pwrite(fd, passphrase[0] == 'A' ? "B" : "A", 1, 0), 1);
    (void)close(fd);
    key = NULL;
    assert_int_equal(hub_head_read(f->fd, &key), -EBADMSG);
    assert_int_equal(unlinkat(f->fd, "head.passphrase", 0), 0);
    assert_int_equal(hub_head_read(f->fd, &key), -ENOENT);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wire, begin, end),
        cmocka_unit_test_setup_teardown(test_head, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

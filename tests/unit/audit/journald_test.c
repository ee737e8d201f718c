#include "test.h"

#include <string.h>

#include "audit/journald.h"

static const char *field(const struct journald_entry *entry, const char *name)
{
    static char text[4096];

    for (size_t i = 0; i < entry->n; i++) {
        size_t size = entry->fields[i].iov_len;

        if (size > strlen(name) && size < sizeof(text) && memcmp(entry->fields[i].iov_base, name, strlen(name)) == 0 &&
            ((const char *)entry->fields[i].iov_base)[strlen(name)] == '=') {
            memcpy(text, entry->fields[i].iov_base, size);
            text[size] = 0;
            return text + strlen(name) + 1;
        }
    }
    return "";
}

static void test_refusal(void **state)
{
    struct journald_entry entry;
    struct audit_event e;

    (void)state;
    memset(&e, 0, sizeof(e));
    e.action = AUDIT_FILE_OPEN;
    e.has_verdict = e.has_uid = true;
    e.uid = 1000;
    e.pid = 77;
    e.count = 3;
    audit_set(e.rule, sizeof(e.rule), "juki");
    audit_set(e.path, sizeof(e.path), "/srv/a\nMESSAGE=forged");
    assert_int_equal(journald_format(&e, 42, &entry), 0);
    assert_string_equal(field(&entry, "MESSAGE"), "file-open refused by rule juki: /srv/a\\x0aMESSAGE=forged");
    assert_string_equal(field(&entry, "MESSAGE_ID"), JOURNALD_ID_REFUSED);
    assert_string_equal(field(&entry, "PRIORITY"), "4");
    assert_string_equal(field(&entry, "KURABAN_SEQ"), "42");
    assert_string_equal(field(&entry, "KURABAN_VERDICT"), "deny");
    assert_string_equal(field(&entry, "KURABAN_UID"), "1000");
    assert_string_equal(field(&entry, "KURABAN_COUNT"), "3");
    assert_string_equal(field(&entry, "KURABAN_PATH"), "/srv/a\\x0aMESSAGE=forged");
    for (size_t i = 0; i < entry.n; i++) /* nothing foreign can start a field of its own */
        assert_null(memchr(entry.fields[i].iov_base, '\n', entry.fields[i].iov_len));
    journald_entry_done(&entry);
    assert_int_equal(entry.n, 0);
}

static void test_every_field_has_room(void **state)
{
    struct journald_entry entry;
    struct audit_event e;

    (void)state;
    memset(&e, 0, sizeof(e));
    e.action = AUDIT_FILE_OPEN;
    e.has_verdict = e.would_refuse = e.has_uid = e.has_login_uid = e.alarm = true;
    e.pid = 1;
    e.count = 2;
    strcpy(e.reason, "r");
    strcpy(e.rule, "r");
    strcpy(e.policy_name, "p");
    strcpy(e.program, "p");
    strcpy(e.path, "p");
    strcpy(e.store, "s");
    strcpy(e.device_id, "d");
    strcpy(e.device_serial, "s");
    strcpy(e.device_node, "n");
    assert_int_equal(journald_format(&e, 1, &entry), 0);
    assert_string_equal(field(&entry, "KURABAN_COUNT"), "2"); /* the last one */
    assert_string_equal(field(&entry, "MESSAGE_ID"), JOURNALD_ID_ALARM);
    journald_entry_done(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_every_field_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

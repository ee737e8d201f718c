/* Names on the wire: what an id is made of, that no two groups share a token, and that a subject is read in one way only. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/fleet/names.h"
#include "policy/trust/trust.h"
#include "test.h"

#define ID "tmzuhvlpymk6xo3epygfy" /* of 32 times 0: printf of openssl and base32 */
#define HASH "x-5reqfmlb2sdxwzm7j54xz37ubzestukj5f3gtlclbsriyz7ttbcq"

static void test_terminal(void **state)
{
    static const char *const wrong[] = {"",
                                        "t",
                                        "mzuhvlpymk6xo3epygfyt",
                                        "tmzuhvlpymk6xo3epygf",
                                        "tmzuhvlpymk6xo3epygfyy",
                                        "tMZUHVLPYMK6XO3EPYGFY",
                                        "tmzuhvlpymk6xo3epygf1",
                                        "tmzuhvlpymk6xo3epyg.5",
                                        "tmzuhvlpymk6xo3epyg*5",
                                        "tmzuhvlpymk6xo3epyg/5",
                                        "umzuhvlpymk6xo3epygfy"};
    const uint8_t key[FLEET_PUBLIC_SIZE] = {0};
    char id[FLEET_ID_SIZE];

    (void)state;
    assert_int_equal(fleet_terminal_id(key, id), 0);
    assert_string_equal(id, ID);
    assert_true(fleet_is_terminal_id(ID, strlen(ID)));
    assert_false(fleet_is_terminal_id("tmzuhvlpymk6xo3epyg\0005", strlen(ID)));
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_false(fleet_is_terminal_id(wrong[i], strlen(wrong[i])));
}

static void test_group(void **state)
{
    static const char *const own[] = {
        "kazei", "a", "x", "x_1", "-", "0", "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxyz"};
    static const char *const hashed[] = {
        "課税課", "Kazei", "kazei.hq", "kazei hq", "*",
        ">",      "x-",    "x-kazei",  HASH,       "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxyz0"};
    char tokens[ELEMENTS(hashed)][FLEET_TOKEN_SIZE], token[FLEET_TOKEN_SIZE] = "untouched", longest[TRUST_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(own); i++) {
        assert_int_equal(fleet_group_token(own[i], token), 0);
        assert_string_equal(token, own[i]);
    }
    for (size_t i = 0; i < ELEMENTS(hashed); i++) {
        assert_int_equal(fleet_group_token(hashed[i], tokens[i]), 0);
        assert_int_equal(strlen(tokens[i]), 54);
        assert_memory_equal(tokens[i], "x-", 2);
        assert_int_equal(strspn(tokens[i] + 2, "abcdefghijklmnopqrstuvwxyz234567"), 52);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tokens[i], tokens[j]);
    }
    assert_string_equal(tokens[0],
                        HASH); /* printf %s 課税課, openssl, base32; and the name that looks like it has another */
    memset(longest, 'a', sizeof(longest));
    longest[TRUST_NAME_MAX] = '\0';
    assert_int_equal(fleet_group_token(longest, token), 0);
    longest[TRUST_NAME_MAX] = 'a';
    longest[TRUST_NAME_MAX + 1] = '\0';
    memcpy(token, "untouched", sizeof("untouched"));
    assert_int_equal(fleet_group_token(longest, token), -EINVAL);
    assert_int_equal(fleet_group_token("", token), -EINVAL);
    assert_int_equal(fleet_group_token("a\tb", token), -EINVAL);
    assert_int_equal(fleet_group_token("\xff", token), -EINVAL);
    assert_string_equal(token, "untouched");
}

static void test_written(void **state)
{
    char s[FLEET_SUBJECT_SIZE], m[FLEET_MESSAGE_SIZE];

    (void)state;
    assert_int_equal(fleet_subject_policy("kazei", s), 0);
    assert_string_equal(s, "pol.kazei");
    assert_int_equal(fleet_subject_policy("課税課", s), 0);
    assert_string_equal(s, "pol." HASH);
    assert_int_equal(fleet_subject_command(ID, FLEET_COMMAND_MEMBERSHIP, s), 0);
    assert_string_equal(s, "cmd." ID ".membership");
    assert_int_equal(fleet_subject_command(ID, FLEET_COMMAND_END_GRANTS, s), 0);
    assert_string_equal(s, "cmd." ID ".end-grants");
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_REPORTS, ID, s), 0);
    assert_string_equal(s, "rep." ID);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, ID, s), 0);
    assert_string_equal(s, "ack." ID);
    assert_int_equal(fleet_subject_events(ID, TRUST_VERSION_MAX, s), 0);
    assert_string_equal(s, "evt." ID ".9007199254740991");
    assert_int_equal(fleet_message_id(ID, 1, TRUST_VERSION_MAX, m), 0);
    assert_string_equal(m, ID "-1-9007199254740991");
    assert_int_equal(fleet_subject_command(ID, FLEET_COMMAND_NONE, s), -EINVAL);
    assert_int_equal(fleet_subject_command(ID, FLEET_COMMAND_COUNT_, s), -EINVAL);
    assert_int_equal(fleet_subject_command("*", FLEET_COMMAND_BUNDLE, s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_COMMANDS, ID, s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_POLICY, ID, s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_EVENTS, ID, s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_NONE, ID, s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, "*", s), -EINVAL);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, ID ".x", s), -EINVAL);
    assert_int_equal(fleet_subject_policy("", s), -EINVAL);
    assert_int_equal(fleet_subject_events(ID, 0, s), -EINVAL);
    assert_int_equal(fleet_subject_events(ID, TRUST_VERSION_MAX + 1, s), -EINVAL);
    assert_int_equal(fleet_subject_events(">", 1, s), -EINVAL);
    assert_int_equal(fleet_message_id(ID, 2, 1, m), -EINVAL);
    assert_int_equal(fleet_message_id(ID, 0, 1, m), -EINVAL);
    assert_int_equal(fleet_message_id("x", 1, 1, m), -EINVAL);
}

static struct fleet_place read_well(const char *subject, enum fleet_subject kind, const char *terminal,
                                    const char *token, uint64_t first)
{
    struct fleet_place p = {0};
    char copy[FLEET_SUBJECT_SIZE];

    memset(copy, '.', sizeof(copy)); /* no end behind it */
    memcpy(copy, subject, strlen(subject));
    assert_int_equal(fleet_subject_read(copy, strlen(subject), &p), 0);
    assert_int_equal(p.subject, kind);
    assert_string_equal(p.terminal, terminal);
    assert_string_equal(p.token, token);
    assert_true(p.first == first);
    return p;
}

static void test_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "pol",
                                        "pol.",
                                        "pol.*",
                                        "pol.>",
                                        "pol.a.b",
                                        "pol.A",
                                        "pol.x-",
                                        "pol.x-kazei",
                                        "pol.課税課",
                                        "pol." HASH "a",
                                        "POL.kazei",
                                        "cmd." ID,
                                        "cmd." ID ".",
                                        "cmd." ID ".*",
                                        "cmd." ID ".order",
                                        "cmd." ID ".bundles",
                                        "cmd." ID ".bundle.1",
                                        "cmd." ID "..bundle",
                                        "cmd." ID ".1",
                                        "cmd.kazei",
                                        "evt." ID,
                                        "evt." ID ".",
                                        "evt." ID ".0",
                                        "evt." ID ".01",
                                        "evt." ID ".-1",
                                        "evt." ID ".1.2",
                                        "evt." ID ".1 ",
                                        "evt." ID ".9007199254740992",
                                        "evt." ID ".90071992547409910",
                                        "evt." ID "..1",
                                        "rep." ID " ",
                                        "ack.t" ID,
                                        "sys." ID,
                                        "$JS.API.INFO"};
    struct fleet_place p;

    (void)state;
    read_well("pol.kazei", FLEET_SUBJECT_POLICY, "", "kazei", 0);
    read_well("pol." HASH, FLEET_SUBJECT_POLICY, "", HASH, 0);
    p = read_well("cmd." ID ".bundle", FLEET_SUBJECT_COMMANDS, ID, "", 0);
    assert_int_equal(p.command, FLEET_COMMAND_BUNDLE);
    p = read_well("cmd." ID ".end-grants", FLEET_SUBJECT_COMMANDS, ID, "", 0);
    assert_int_equal(p.command, FLEET_COMMAND_END_GRANTS);
    read_well("evt." ID ".9007199254740991", FLEET_SUBJECT_EVENTS, ID, "", TRUST_VERSION_MAX);
    read_well("evt." ID ".1", FLEET_SUBJECT_EVENTS, ID, "", 1);
    read_well("rep." ID, FLEET_SUBJECT_REPORTS, ID, "", 0);
    read_well("ack." ID, FLEET_SUBJECT_ACKS, ID, "", 0);
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        if (fleet_subject_read(wrong[i], strlen(wrong[i]), &p) != -EBADMSG)
            fail_msg("'%s' was read", wrong[i]);
    assert_int_equal(fleet_subject_read("evt." ID ".1\0002", strlen("evt." ID ".1_2"), &p), -EBADMSG);
}

static void test_text(void **state)
{
    char text[FLEET_TEXT_SIZE], longest[400] = "a";

    (void)state;
    assert_int_equal(fleet_text("課税課 標準", text), 0);
    assert_string_equal(text, "課税課 標準");
    assert_int_equal(fleet_text("", text), 0);
    assert_string_equal(text, "-");
    assert_int_equal(fleet_text("a\nb\xff", text), 0);
    assert_string_equal(text, "a\\x0ab\\xff");
    for (size_t i = 0; i < 100; i++)
        memcpy(longest + 1 + 3 * i, "課", 4);
    assert_int_equal(fleet_text(longest, text), 0);
    assert_int_equal(strlen(text), 253); /* 254 and 255 would be within a character */
    assert_memory_equal(text, longest, 253);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_group), cmocka_unit_test(test_written),
        cmocka_unit_test(test_read),     cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * There is one way to write each document: one edit of a good one, properly signed where it is under a signature, and it is refused
 * with its reason. fake/attacks.h has what is well written and still not accepted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/signed.h"
#include "policy/findings.h"
#include "policy/policy.h"
#include "test.h"

/* What is edited. */
enum place {
    BUNDLE,   /* the file of a bundle with root 4, policy 6 and head 8 */
    ENVELOPE, /* the file of policy 6 */
    ROOT,     /* the payload of root 4 */
    POLICY,   /* the payload of policy 6 */
    HEAD,     /* the payload of head 8 */
};

struct edit {
    enum place place;
    const char *from, *to;
    enum trust_result result;
};

static struct signed_bytes whole_bundle(void)
{
    struct trust_envelope *p = signed_usual_policy(6, NULL), *h = signed_usual_head(8, p, 6),
                          *r4 = signed_usual_root(4);

    return signed_bundle(&r4, 1, p, h);
}

static struct trust_envelope *head_eight(void)
{
    struct trust_envelope *p = signed_usual_policy(5, NULL), *h = signed_usual_head(8, p, 5);

    trust_envelope_free(p);
    return h;
}

static struct signed_bytes edited(const struct edit *e)
{
    switch (e->place) {
    case BUNDLE:
        return signed_edited(whole_bundle(), e->from, e->to);
    case ENVELOPE:
        return signed_edited(signed_file(signed_usual_policy(6, NULL)), e->from, e->to);
    case ROOT:
        return signed_payload_edited(signed_usual_root(4), e->from, e->to, SIGNED_ROOT_SIGNERS);
    case POLICY:
        return signed_payload_edited(signed_usual_policy(6, NULL), e->from, e->to, SIGNED_POLICY_SIGNERS);
    case HEAD:
    default:
        return signed_payload_edited(head_eight(), e->from, e->to, KEY(6));
    }
}

/* Takes the file. */
static int offer(const struct trust_state *s, struct signed_bytes b, struct trust_complaint *complaint)
{
    struct policy_findings findings = {0};
    struct trust_state *next = NULL;
    struct policy *p = NULL;
    int r = trust_apply(s, &signed_terminal, b.data, b.size, &next, &p, &findings, complaint);

    assert_true((r == TRUST_OK) == (next != NULL));
    assert_true(r == TRUST_OK || !p);
    policy_findings_done(&findings);
    (void)policy_unref(p);
    trust_state_free(next);
    free(b.data);
    return r;
}

/* The edits below change one thing: with nothing changed each document is accepted. */
static void test_unedited_all_are_accepted(void **state)
{
    static const struct edit none[] = {{BUNDLE, "{", "{", TRUST_OK},
                                       {ENVELOPE, "{", "{", TRUST_OK},
                                       {ROOT, "{", "{", TRUST_OK},
                                       {POLICY, "format", "format", TRUST_OK},
                                       {HEAD, "{", "{", TRUST_OK}};

    for (size_t i = 0; i < ELEMENTS(none); i++)
        assert_int_equal(offer(*state, edited(&none[i]), NULL), TRUST_OK);
}

static void refused(void **state, const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct trust_complaint complaint = {0};
        int r = offer(*state, edited(&edits[i]), &complaint);

        if (r != (int)edits[i].result)
            fail_msg("%s for %s: %s instead of %s (%s)", edits[i].to, edits[i].from,
                     trust_result_name((enum trust_result)r), trust_result_name(edits[i].result), complaint.text);
        if (complaint.text[0] == '\0' && r != TRUST_E_POLICY)
            fail_msg("%s for %s: refused without a word", edits[i].to, edits[i].from);
    }
    printf("%zu edits\n", n);
}

static void test_numbers(void **state)
{
    static const struct edit edits[] = {
        {ROOT, "\"version\": 4", "\"version\": 0", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": -4", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 4.0", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 4e0", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 04", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": +4", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": \"4\"", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": true", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": null", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": [4]", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 9007199254740992", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 9223372036854775808", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4", "\"version\": 18446744073709551620", TRUST_E_MALFORMED}, /* 2^64 + 4 */
        {ROOT, "\"threshold\": 2", "\"threshold\": 0", TRUST_E_MALFORMED},
        {ROOT, "\"threshold\": 2", "\"threshold\": -2", TRUST_E_MALFORMED},
        {ROOT, "\"threshold\": 2", "\"threshold\": 2.0", TRUST_E_MALFORMED},
        {ROOT, "\"threshold\": 2", "\"threshold\": 4", TRUST_E_MALFORMED},
        {ROOT, "\"threshold\": 2", "\"threshold\": 17", TRUST_E_MALFORMED},
        {ROOT, "\"threshold\": 2", "\"threshold\": 4294967298", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 8", "\"version\": 0", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 8", "\"version\": -8", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 8", "\"version\": 8.0", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 8", "\"version\": 9007199254740992", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 5", "\"version\": 0", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 5", "\"version\": -1", TRUST_E_MALFORMED},
        {HEAD, "\"version\": 5", "\"version\": 5.5", TRUST_E_MALFORMED},
        {POLICY, "version: 6", "version: 0", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: -6", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 6.0", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 0x6", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 18446744073709551622", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 9007199254740992", TRUST_E_POLICY},
    };

    refused(state, edits, ELEMENTS(edits));
}

#define EXPIRES "2028-01-15T08:00:00Z" /* of roots */

static void test_times(void **state)
{
    static const struct edit edits[] = {
        {ROOT, EXPIRES, "2028-01-15T08:00:00z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15t08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15 08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15T08:00:00+00:00", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15T08:00:00.0Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15T08:00:60Z", TRUST_E_MALFORMED}, /* the same as 08:01:00: two spellings */
        {ROOT, EXPIRES, "2028-01-15T24:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15T08:60:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-00T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-02-30T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2027-02-29T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-00-15T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-13-15T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-1-015T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "-028-01-15T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "12028-01-15T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15T08:00:00", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "2028-01-15", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, " 2028-01-15T08:00:00Z", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "", TRUST_E_MALFORMED},
        {ROOT, "\"" EXPIRES "\"", "1831536000", TRUST_E_MALFORMED},
        {ROOT, EXPIRES, "0001-01-01T00:00:00Z", TRUST_E_ROOT_EXPIRED},
        {ROOT, EXPIRES, "1969-12-31T23:59:59Z", TRUST_E_ROOT_EXPIRED},
        {HEAD, "2027-01-28T08:00:00Z", "2027-01-28T08:00:60Z", TRUST_E_MALFORMED},
        {HEAD, "2027-01-28T08:00:00Z", "2027-02-29T08:00:00Z", TRUST_E_MALFORMED},
        {HEAD, "2027-01-28T08:00:00Z", "2027-01-14T08:00:00Z", TRUST_E_MALFORMED}, /* not after it began */
        {HEAD, "2027-01-28T08:00:00Z", "2026-01-28T08:00:00Z", TRUST_E_MALFORMED},
        {HEAD, "2027-01-28T08:00:00Z", "2027-02-14T08:00:01Z", TRUST_E_MALFORMED}, /* 31 days and a second */
        {HEAD, "2027-01-28T08:00:00Z", "9999-12-31T23:59:59Z", TRUST_E_MALFORMED},
        {HEAD, "2027-01-14T08:00:00Z", "0000-01-01T00:00:00Z", TRUST_E_MALFORMED},
    };

    refused(state, edits, ELEMENTS(edits));
}

static void test_form(void **state)
{
    static const struct edit edits[] = {
        /* Bytes that are no JSON text */
        {BUNDLE, "{", "\xef\xbb\xbf{", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"\xff\":1,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"\xc0\xaf\":1,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"\xed\xa0\x80\":1,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"\\ud800\":1,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"policy\\u0000\":1,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{/* */", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{,", TRUST_E_MALFORMED},
        {BUNDLE, "{", "[{", TRUST_E_MALFORMED},
        {BUNDLE, "{", "null {", TRUST_E_MALFORMED},
        {BUNDLE, "\"format\"", "'format'", TRUST_E_MALFORMED},
        {BUNDLE, "\"format\"", "\"f\\u006frmat\": 1, \"format\"", TRUST_E_DUPLICATE_KEY},
        {ROOT, "職員 0", "職\xff 0", TRUST_E_MALFORMED},
        {ROOT, "職員 0", "職員\\u0000", TRUST_E_MALFORMED},
        {ROOT, "職員 0", "\\u202e\\u001b[2J", TRUST_E_MALFORMED},
        {POLICY, "課税課", "\xff\xfe", TRUST_E_POLICY},
        {POLICY, "課税課", "\x01", TRUST_E_POLICY},
        /* Each key once and in its place */
        {BUNDLE, "\"format\": \"kuraban-bundle/1\",", "", TRUST_E_MALFORMED},
        {BUNDLE, "\"kuraban-bundle/1\"", "1", TRUST_E_MALFORMED},
        {BUNDLE, "kuraban-bundle/1", "kuraban-bundle/1 ", TRUST_E_MALFORMED},
        {BUNDLE, "kuraban-bundle/1", "kuraban-bundle/", TRUST_E_MALFORMED},
        {BUNDLE, "kuraban-bundle/1", "kuraban-bundle/-1", TRUST_E_MALFORMED},
        {BUNDLE, "kuraban-bundle/1", "kuraban-bundle/99999999999", TRUST_E_MALFORMED},
        {BUNDLE, "kuraban-bundle/1", "kuraban-bundle/2", TRUST_E_FORMAT},
        {BUNDLE, "\"roots\": [", "\"roots\": [[],", TRUST_E_MALFORMED},
        {BUNDLE, "\"roots\": [", "\"roots\": [null,", TRUST_E_MALFORMED},
        {BUNDLE, "\"roots\": [", "\"roots\": [{},", TRUST_E_MALFORMED},
        {BUNDLE, "{", "{\"payloadType\": \"" TRUST_TYPE_POLICY "\",", TRUST_E_MALFORMED},
        {ENVELOPE, "\"keyid\"", "\"keyID\"", TRUST_E_MALFORMED},
        {ENVELOPE, "\"keyid\"", "\"keyid\": \"\", \"keyid\"", TRUST_E_DUPLICATE_KEY},
        {ENVELOPE, "\"sig\": \"", "\"sig\": \"AAAA", TRUST_E_TOO_LONG},
        {ENVELOPE, "\"payloadType\": \"", "\"payloadType\": \"\\u0000", TRUST_E_MALFORMED},
        {ENVELOPE, TRUST_TYPE_POLICY, "", TRUST_E_PAYLOAD_TYPE},
        {ENVELOPE, TRUST_TYPE_POLICY, TRUST_TYPE_POLICY " ", TRUST_E_FORMAT},
        {ENVELOPE, TRUST_TYPE_POLICY, "Application/vnd.kuraban.policy.v1+yaml", TRUST_E_PAYLOAD_TYPE},
        {ENVELOPE, TRUST_TYPE_POLICY, TRUST_TYPE_ROOT, TRUST_E_MALFORMED}, /* YAML where the root's JSON must be */
        {ENVELOPE, TRUST_TYPE_POLICY, TRUST_TYPE_HEAD, TRUST_E_THRESHOLD}, /* its signers are not the head's */
        {ROOT, "\"organization\": \"matsudo.example\",", "", TRUST_E_MALFORMED},
        {ROOT, "\"version\": 4,", "\"version\": 4, \"version\": 4,", TRUST_E_DUPLICATE_KEY},
        {ROOT, "\"version\": 4,", "\"version\": 4, \"vers\\u0069on\": 5,", TRUST_E_DUPLICATE_KEY},
        {ROOT, "\"version\": 4,", "\"version\": 4, \"Version\": 5,", TRUST_E_MALFORMED},
        {ROOT, "\"root\": {", "\"root\": {\"terminating\": true,", TRUST_E_MALFORMED},
        {ROOT, "\"roles\": {", "\"roles\": {\"Root\": {},", TRUST_E_UNKNOWN_ROLE},
        {ROOT, "\"roles\": {", "\"roles\": {\"\": {},", TRUST_E_UNKNOWN_ROLE},
        {ROOT, "\"name\"", "\"owner\": \"x\", \"name\"", TRUST_E_MALFORMED},
        {ROOT, "kuraban-root/1", "kuraban-root/2", TRUST_E_FORMAT},
        {ROOT, "kuraban-root/1", "kuraban-head/1", TRUST_E_MALFORMED},
        {HEAD, "kuraban-head/1", "kuraban-head/2", TRUST_E_FORMAT},
        {HEAD, "kuraban-head/1", "kuraban-root/1", TRUST_E_MALFORMED},
        {HEAD, "\"policy\": {", "\"policy\": {\"url\": \"\",", TRUST_E_MALFORMED},
        {HEAD, "\"group\": \"kazei\"", "\"group\": [\"kazei\"]", TRUST_E_MALFORMED},
        {HEAD, "\"group\": \"kazei\"", "\"group\": \"\"", TRUST_E_MALFORMED},
        {HEAD, "\"group\": \"kazei\"", "\"group\": \"kazei\\u0000\"", TRUST_E_MALFORMED},
        {HEAD, "\"sha256\": \"", "\"sha256\": \"0", TRUST_E_MALFORMED},
        {POLICY, "format: kuraban-policy/1", "format: kuraban-policy/2", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 6\nversion: 7", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 6\nroot: x", TRUST_E_POLICY},
        {POLICY, "version: 6", "version: 6\n---\nversion: 7", TRUST_E_POLICY},
    };

    refused(state, edits, ELEMENTS(edits));
}

/* RFC 4648 with padding, canonical: what other decoders also take for these bytes is refused. */
static void test_base64(void **state)
{
    static const struct edit edits[] = {
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"Zm9y====", TRUST_E_MALFORMED},
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"Zm9y\\r\\n  ", TRUST_E_MALFORMED},
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"=m9y", TRUST_E_MALFORMED},
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"-_9y", TRUST_E_MALFORMED},
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"Zm9", TRUST_E_MALFORMED},
        {ENVELOPE, "\"payload\": \"Zm9y", "\"payload\": \"Zm9\xc3\xa9", TRUST_E_MALFORMED},
        {ENVELOPE, "==\"", "=\"", TRUST_E_MALFORMED},
        {ENVELOPE, "==\"", "\"", TRUST_E_MALFORMED},
        {ENVELOPE, "==\"", "AA\"", TRUST_E_TOO_LONG}, /* a signature of 66 bytes */
        {ENVELOPE, "==\"", "==\\u0000\"", TRUST_E_MALFORMED},
    };

    refused(state, edits, ELEMENTS(edits));
}

static struct signed_bytes nested(const char *open, const char *close, size_t depth)
{
    struct signed_bytes b = {malloc(depth * 8 + 64), 0};
    char *out = (char *)b.data;

    assert_non_null(out);
    out = stpcpy(out, "{\"format\":\"kuraban-bundle/1\",\"policy\":");
    for (size_t i = 0; i < depth; i++)
        out = stpcpy(out, open);
    out = stpcpy(out, "1");
    for (size_t i = 0; i < depth; i++)
        out = stpcpy(out, close);
    out = stpcpy(out, "}");
    b.size = (size_t)(out - (char *)b.data);
    return b;
}

/* Recursion ends by a limit of the parser, not by the stack's end. */
static void test_deep_nesting(void **state)
{
    static const size_t depths[] = {100, 2000, 2047, 2048, 2049, 100000};
    char *yaml;

    for (size_t i = 0; i < ELEMENTS(depths); i++) {
        assert_int_equal(offer(*state, nested("[", "]", depths[i]), NULL), TRUST_E_MALFORMED);
        assert_int_equal(offer(*state, nested("{\"a\":", "}", depths[i]), NULL), TRUST_E_MALFORMED);
    }
    yaml = calloc(1, 200001);
    assert_non_null(yaml);
    memcpy(yaml, "usb: ", 5);
    memset(yaml + 5, '[', 190000);
    assert_int_equal(offer(*state, signed_file(signed_usual_policy(6, yaml)), NULL), TRUST_E_POLICY);
    free(yaml);
}

/* A NUL that is really there, not an escape. */
static void test_a_nul_byte(void **state)
{
    struct signed_bytes b = signed_file(signed_usual_policy(6, NULL));
    struct trust_envelope *p = signed_usual_policy(6, "#@\n"), *again;

    for (size_t i = 0; i < 4; i++) {
        static const char *const places[] = {"{", "Zm9y", "\"keyid\"", "]"};
        uint8_t *copy = malloc(b.size);

        assert_non_null(copy);
        memcpy(copy, b.data, b.size);
        *((char *)copy + (strstr((char *)b.data, places[i]) - (char *)b.data)) = '\0';
        assert_int_equal(offer(*state, (struct signed_bytes){copy, b.size}, NULL), TRUST_E_MALFORMED);
    }
    free(b.data);
    *(uint8_t *)memchr(p->payload, '@', p->size) = 0;
    again = signed_envelope(TRUST_TYPE_POLICY, p->payload, p->size, SIGNED_POLICY_SIGNERS);
    assert_int_equal(offer(*state, signed_file(again), NULL), TRUST_E_POLICY);
    trust_envelope_free(p);
}

/* Each limit to the byte: at it the form is judged, past it nothing is. */
static void test_limits_come_before_parsing(void **state)
{
    static const size_t limits[] = {TRUST_BUNDLE_MAX, TRUST_BUNDLE_MAX + 1, TRUST_ENVELOPE_MAX, TRUST_ENVELOPE_MAX + 1};
    static const enum trust_result offered[] = {TRUST_E_MALFORMED, TRUST_E_TOO_LONG, TRUST_E_MALFORMED,
                                                TRUST_E_MALFORMED},
                                   installed[] = {TRUST_E_TOO_LONG, TRUST_E_TOO_LONG, TRUST_E_MALFORMED,
                                                  TRUST_E_TOO_LONG},
                                   read[] = {TRUST_E_MALFORMED, TRUST_E_TOO_LONG, TRUST_E_MALFORMED, TRUST_E_MALFORMED};

    for (size_t i = 0; i < ELEMENTS(limits); i++) {
        struct signed_bytes b = {malloc(limits[i]), limits[i]};
        struct trust_state *s = NULL;

        assert_non_null(b.data);
        memset(b.data, '{', b.size);
        assert_int_equal(trust_install_root(b.data, b.size, SIGNED_NOW, &s, NULL), installed[i]);
        assert_int_equal(trust_state_read(b.data, b.size, &s, NULL), read[i]);
        assert_null(s);
        assert_int_equal(offer(*state, b, NULL), offered[i]);
    }
}

static int setup(void **state)
{
    *state = signed_settled();
    return 0;
}

static int teardown(void **state)
{
    trust_state_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unedited_all_are_accepted),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_a_nul_byte),
        cmocka_unit_test(test_limits_come_before_parsing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

/* The sections export and mfa and the key unlock: every key arrives, what is not written is what kuraban-policy(5) says. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "slurp.h"

#define MINUTE_US INT64_C(60000000)

static struct policy *load_text(const char *text)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    if (policy_load("t", (const uint8_t *)text, strlen(text), &findings, &p) != 0) {
        policy_findings_print(&findings, stderr, "t", (const uint8_t *)text, strlen(text));
        fail_msg("does not load");
    }
    policy_findings_done(&findings);
    return p;
}

/* zone NULL: without one. */
static struct policy *load_body(const char *zone, const char *body)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n%s%s\n%s",
                   zone ? "zone: " : "", zone ? zone : "", body);
    return load_text(text);
}

static struct policy *load_file(const char *name)
{
    char path[512];
    _cleanup_free_ char *text = NULL;

    (void)snprintf(path, sizeof(path), KURABAN_TEST_DATA "/policy/%s", name);
    text = slurp(path, NULL);
    return load_text(text);
}

static void assert_list(const struct policy_strings *s, const char *joined)
{
    char text[256] = "";

    for (size_t i = 0; i < s->n; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? "," : "", s->items[i]);
    assert_string_equal(text, joined);
}

static void check_first_rule(const struct policy_export_rule *r)
{
    assert_string_equal(r->id, "juki-out");
    assert_string_equal(r->name, "住基データの持出し");
    assert_true(r->at.line > 0);
    assert_list(&r->to, "stick");
    assert_list(&r->from, "juki");
    assert_list(&r->classes, "");
    assert_false(r->elsewhere);
    assert_true(r->who.restricted && r->when.restricted && r->until_us > 0);
    assert_list(&r->who.groups, "kazei");
    assert_int_equal(r->factors, POLICY_FACTOR_TOTP);
    assert_int_equal(r->approvals, 2);
    assert_true(r->approvers.restricted);
    assert_list(&r->approvers.users, "sato,suzuki,tanaka");
    assert_list(&r->approvers.groups, "kakaricho");
    assert_int_equal(r->container, POLICY_CONTAINER_ZIP_AES256);
    assert_int_equal(r->file_max, 100 << 20);
    assert_int_equal(r->day_files, 50);
    assert_int_equal(r->day_bytes, 1 << 30);
    assert_false(r->content || r->monitor);
}

static void test_export(void **state)
{
    struct policy *p = load_file("good/export.yaml");

    (void)state;
    assert_int_equal(p->n_export, 3);
    check_first_rule(&p->export[0]);
    assert_list(&p->export[1].to, "zip-stick,card");
    assert_list(&p->export[1].classes, "2");
    assert_list(&p->export[1].from, "");
    assert_int_equal(p->export[1].container, POLICY_CONTAINER_ZIP_AES256);
    assert_int_equal(p->export[1].approvals, 0);
    assert_false(p->export[1].approvers.restricted);
    assert_true(p->export[2].elsewhere && p->export[2].monitor);
    assert_list(&p->export[2].from, "");
    assert_int_equal(p->export[2].factors, 0);
    assert_int_equal(p->export[2].day_files, 0);
    assert_int_equal(p->export[2].day_bytes, 100 << 20);
    assert_int_equal(p->usb[1].allow, POLICY_EXPORT);
    assert_int_equal(p->usb[2].allow, POLICY_EXPORT);
    assert_int_equal(p->usb[2].only.n, 1);
    assert_int_equal(p->media.rules[0].allow, POLICY_EXPORT);
    (void)policy_unref(p);
}

static void test_unlock(void **state)
{
    struct policy *p = load_file("good/export.yaml");
    const struct policy_unlock *usb = &p->usb[1].unlock, *card = &p->media.rules[0].unlock;

    (void)state;
    assert_true(usb->needed && card->needed && !p->usb[0].unlock.needed);
    assert_int_equal(usb->factors, POLICY_FACTOR_TOTP);
    assert_int_equal(usb->approvals, 1);
    assert_list(&usb->approvers.groups, "kakaricho");
    assert_int_equal(usb->for_us, 60 * MINUTE_US);
    assert_int_equal(card->factors, POLICY_FACTOR_TOTP);
    assert_int_equal(card->approvals, 0);
    assert_int_equal(card->for_us, 15 * MINUTE_US);
    (void)policy_unref(p);
}

static void test_mfa(void **state)
{
    struct policy *p = load_file("good/export.yaml");
    const struct policy_mfa *mfa = &p->mfa;

    (void)state;
    assert_true(mfa->login && mfa->at.line > 0);
    assert_list(&mfa->services, "login,gdm-password,sshd");
    assert_true(mfa->who.restricted);
    assert_list(&mfa->who.groups, "kazei");
    assert_int_equal(mfa->factors, POLICY_FACTOR_PASSWORD | POLICY_FACTOR_TOTP);
    assert_int_equal(mfa->grace_us, 7 * 24 * 60 * MINUTE_US);
    assert_int_equal(mfa->enrol, POLICY_ENROL_FIRST_LOGIN);
    assert_int_equal(mfa->failures, 10);
    assert_true(mfa->delay);
    assert_int_equal(mfa->lock_us, 0);
    assert_int_equal(mfa->window, 1);
    (void)policy_unref(p);
    p = load_body(NULL, "mfa: {login: {factors: totp, grace: 0}, enrol: self, window: 0,\n"
                        "  throttle: {failures: 100, delay: none, lock: 90s}}\n");
    assert_true(p->mfa.login && p->mfa.services.n == 0 && !p->mfa.who.restricted);
    assert_int_equal(p->mfa.factors, POLICY_FACTOR_TOTP);
    assert_int_equal(p->mfa.grace_us, 0);
    assert_int_equal(p->mfa.enrol, POLICY_ENROL_SELF);
    assert_int_equal(p->mfa.failures, 100);
    assert_false(p->mfa.delay);
    assert_int_equal(p->mfa.lock_us, 90 * MINUTE_US / 60);
    assert_int_equal(p->mfa.window, 0);
    (void)policy_unref(p);
}

/* Without a word of it a policy has limits for wrong codes, and no login asks for one. */
static void test_mfa_not_written(void **state)
{
    static const char *const bodies[] = {"", "mfa: {}\n"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        struct policy *p = load_body(NULL, bodies[i]);

        assert_false(p->mfa.login);
        assert_int_equal(p->mfa.failures, 10);
        assert_true(p->mfa.delay);
        assert_int_equal(p->mfa.lock_us, 15 * MINUTE_US);
        assert_int_equal(p->mfa.window, 1);
        assert_int_equal(p->mfa.enrol, POLICY_ENROL_ROOT);
        assert_int_equal(p->mfa.at.line != 0, i == 1);
        (void)policy_unref(p);
    }
}

static void test_containers(void **state)
{
    static const struct {
        const char *word;
        enum policy_container container;
    } words[] = {{"zip-aes256", POLICY_CONTAINER_ZIP_AES256},
                 {"luks", POLICY_CONTAINER_LUKS},
                 {"plain", POLICY_CONTAINER_PLAIN}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        struct policy *p;
        char body[256];

        (void)snprintf(body, sizeof(body),
                       "usb: [{id: s, allow: export}]\nexport: [{id: e, to: s, from: elsewhere, container: %s}]\n",
                       words[i].word);
        p = load_body(NULL, body);
        assert_int_equal(p->export[0].container, words[i].container);
        (void)policy_unref(p);
    }
}

static void test_content(void **state)
{
    struct policy *p = load_file("warn/plan.yaml");

    (void)state;
    assert_int_equal(p->n_export, 1);
    assert_true(p->export[0].content);
    assert_int_equal(p->export[0].day_files, 50);
    assert_int_equal(p->export[0].approvals, 1);
    (void)policy_unref(p);
}

static void test_lengths_of_time(void **state)
{
    static const struct {
        const char *word;
        int64_t us; /* -1: refused */
    } words[] = {{"60s", MINUTE_US}, {"1m", MINUTE_US}, {"01m", MINUTE_US}, {"8h", 480 * MINUTE_US},
                 {"59s", -1},        {"481m", -1},      {"1d", -1},         {"m", -1},
                 {"15", -1},         {"15M", -1},       {"-15m", -1},       {"1.5h", -1},
                 {"15 m", -1},       {"0m", -1},        {"999999999m", -1}, {"4294967297m", -1},
                 {"\"\"", -1},       {"[15m]", -1}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        struct policy *p = NULL;
        char text[256];
        int r;

        (void)snprintf(text, sizeof(text),
                       "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n"
                       "usb: [{id: a, allow: read, unlock: {for: %s}}]\n",
                       words[i].word);
        r = policy_load("t", (const uint8_t *)text, strlen(text), NULL, &p);
        if ((r == 0) != (words[i].us >= 0) || (r == 0 && p->usb[0].unlock.for_us != words[i].us))
            fail_msg("%s: %d", words[i].word, r);
        (void)policy_unref(p);
    }
}

static int user_of(void *context, const char *name, uid_t *ret)
{
    size_t *asked = context;

    (*asked)++;
    *ret = 1000 + (uid_t)*asked;
    return strcmp(name, "nobody-knows") == 0 ? -ENOENT : 0;
}

static int group_of(void *context, const char *name, gid_t *ret)
{
    (void)name;
    (void)context;
    *ret = 2001;
    return 0;
}

/* Every who there is gets its ids: an approver whose name is not resolved could approve nothing. */
static void test_resolve(void **state)
{
    static const char body[] = "usb: [{id: a, allow: export, match: {serial: A}, who: {users: [u1]},\n"
                               "  unlock: {approvals: 1, approvers: {users: [u2]}}}]\n"
                               "media: {rules: [{id: m, allow: read, match: {bus: mmc},\n"
                               "  unlock: {approvals: 1, approvers: {users: [u3, nobody-knows], groups: [g]}}}]}\n"
                               "export: [{id: e, to: [a], from: [elsewhere], who: {users: [u4]}, approvals: 1,\n"
                               "  approvers: {users: [u5]}}]\n"
                               "mfa: {login: {who: {users: [u6]}}}\n";
    struct policy *p = load_body(NULL, body), *same = load_body(NULL, body);
    size_t asked = 0;
    struct policy_names names = {user_of, group_of, &asked};

    (void)state;
    assert_int_equal(policy_resolve(p, &names, NULL), 0);
    assert_int_equal(asked, 7);
    assert_int_equal(p->usb[0].unlock.approvers.n_uids, 1);
    assert_int_equal(p->media.rules[0].unlock.approvers.n_uids, 1);
    assert_int_equal(p->media.rules[0].unlock.approvers.n_gids, 1);
    assert_int_equal(p->export[0].who.n_uids, 1);
    assert_int_equal(p->export[0].approvers.n_uids, 1);
    assert_int_equal(p->mfa.who.n_uids, 1);
    assert_int_equal(policy_resolve(p, &names, NULL), 0); /* again, with other ids */
    asked = 7;
    assert_int_equal(policy_resolve(same, &names, NULL), 0);
    assert_true(policy_same_names(p, same));
    for (unsigned i = 0; i < 4; i++) {
        uid_t *const uids[] = {p->usb[0].unlock.approvers.uids, p->media.rules[0].unlock.approvers.uids,
                               p->export[0].approvers.uids, p->mfa.who.uids};

        uids[i][0]++;
        assert_false(policy_same_names(p, same));
        uids[i][0]--;
    }
    (void)policy_unref(p);
    (void)policy_unref(same);
}

/* Rules that refer to as much as fits: what is not sure within the limit of comparisons (which is what makes it end soon) is not told. */
static void test_greedy_references(void **state)
{
    char *text = calloc(1, 300000);
    size_t n;
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    (void)state;
    assert_non_null(text);
    n = (size_t)sprintf(text, "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\nusb:\n");
    for (int i = 0; i < 60; i++)
        n += (size_t)sprintf(text + n, " - {id: s%d, allow: export}\n", i);
    n += (size_t)sprintf(text + n, "stores:\n");
    for (int i = 0; i < 200; i++)
        n += (size_t)sprintf(text + n, " - {id: t%d, path: /s/%d, programs: [{path: /p}]}\n", i, i);
    n += (size_t)sprintf(text + n, "export:\n");
    for (int k = 0; k < 100; k++) {
        n += (size_t)sprintf(text + n, " - {id: e%d, from: [", k);
        for (int i = 0; i < 200; i++)
            n += (size_t)sprintf(text + n, "t%d,", i);
        n += (size_t)sprintf(text + n, "], to: [");
        for (int i = 0; i < 60; i++)
            n += (size_t)sprintf(text + n, "s%d,", k % 2 ? i : 59 - i);
        n += (size_t)sprintf(text + n, "]}\n");
    }
    assert_true(n < POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_load("t", (const uint8_t *)text, n, &findings, &p), 0);
    assert_int_equal(p->n_export, 100);
    assert_false(findings.dropped);
    for (size_t i = 0; i < findings.n; i++)
        assert_null(strstr(findings.items[i].message, "earlier export rules"));
    policy_findings_done(&findings);
    (void)policy_unref(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_unlock),
        cmocka_unit_test(test_mfa),
        cmocka_unit_test(test_mfa_not_written),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_lengths_of_time),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_greedy_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a zone sets is what kuraban-policy(5) says it sets: the table of the page is read and held against the loader. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/show.h"

static const char *const zones[] = {"mynumber", "lgwan", "internet"};
static const char *const keys[] = {"optical",          "sdcard",   "firewire", "thunderbolt", "other",
                                   "network",          "fuse",     "exec",     "unique",      "export.factors",
                                   "export.approvals", "mfa.enrol"};

/* The page's rows: "Ic firewire , thunderbolt , other Ta refuse Ta refuse Ta refuse". */
static void read_table(char *said[ELEMENTS(keys)][ELEMENTS(zones)], char *page)
{
    char *at = strstr(page, ".Sh ZONES"), *end, *line, *lines = NULL;

    assert_non_null(at);
    end = strstr(at, "\n.El");
    at = strstr(at, ".Bl -column");
    assert_true(at && end && at < end);
    *end = 0;
    (void)strtok_r(at, "\n", &lines);              /* the list itself */
    assert_non_null(strtok_r(NULL, "\n", &lines)); /* the heading */
    while ((line = strtok_r(NULL, "\n", &lines))) {
        char *cells[ELEMENTS(zones) + 1] = {line}, *names = NULL;

        for (size_t i = 1; i < ELEMENTS(cells); i++) {
            cells[i] = strstr(cells[i - 1], " Ta ");
            assert_non_null(cells[i]);
            *cells[i] = 0;
            cells[i] += strlen(" Ta ");
        }
        for (char *name = strtok_r(cells[0], " ,", &names); name; name = strtok_r(NULL, " ,", &names))
            for (size_t k = 0; k < ELEMENTS(keys); k++)
                if (strcmp(name, keys[k]) == 0)
                    for (size_t z = 0; z < ELEMENTS(zones); z++)
                        said[k][z] = cells[z + 1];
    }
}

static const char *word(enum policy_allow allow)
{
    return allow == POLICY_READ ? "read" : allow == POLICY_USE ? "use" : allow == POLICY_REFUSE ? "refuse" : "?";
}

static void check_zone(const char *zone, char *said[ELEMENTS(keys)][ELEMENTS(zones)], size_t z)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\n%s%s\n"
                   "usb: [{id: s, allow: export, match: {serial: X}}]\n"
                   "export: [{id: e, to: [s], from: [elsewhere]}]\n",
                   *zone ? "zone: " : "", zone);
    assert_int_equal(policy_load("t", (const uint8_t *)text, strlen(text), &findings, &p), 0);
    policy_findings_done(&findings);
    {
        const char *const does[ELEMENTS(keys)] = {word(p->media.optical),
                                                  word(p->media.sdcard),
                                                  word(p->media.firewire),
                                                  word(p->media.thunderbolt),
                                                  word(p->media.other),
                                                  word(p->media.network),
                                                  word(p->media.fuse),
                                                  p->media.exec ? "allow" : "refuse",
                                                  p->usb[0].unique_serial ? "refuse" : "ignore",
                                                  p->export[0].factors == POLICY_FACTOR_TOTP ? "totp" : "none",
                                                  p->export[0].approvals == 1 ? "1" : "0",
                                                  policy_enrol_name(p->mfa.enrol)};

        for (size_t k = 0; k < ELEMENTS(keys); k++) {
            if (!said[k][z])
                fail_msg("the page does not say what zone %s does with %s", zone, keys[k]);
            if (strcmp(said[k][z], does[k]) != 0)
                fail_msg("zone %s, %s: the page says %s, it is %s", zone, keys[k], said[k][z], does[k]);
        }
    }
    (void)policy_unref(p);
}

static void test_page_and_loader_agree(void **state)
{
    char *said[ELEMENTS(keys)][ELEMENTS(zones)] = {{NULL}}, path[512];
    _cleanup_free_ char *page = calloc(1, 1U << 18);
    FILE *f;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/man/kuraban-policy.5", getenv("KURABAN_SOURCE"));
    f = fopen(path, "re");
    assert_true(f && page);
    assert_true(fread(page, 1, (1U << 18) - 1, f) > 0);
    (void)fclose(f);
    read_table(said, page);
    for (size_t z = 0; z < ELEMENTS(zones); z++)
        check_zone(zones[z], said, z);
    check_zone("", said, 0); /* mynumber where nothing is said */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_and_loader_agree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

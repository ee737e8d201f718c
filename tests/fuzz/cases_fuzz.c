/*
 * The reader of expectations on any bytes: it must end soon, stay in memory, and give either cases or an error at a position.
 * What it accepts is decided under a small policy, whatever it says.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cases.h"
#include "fuzz/fuzz.h"
#include "policy/findings.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

static const char document[] =
    "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\n"
    "usb:\n  - {id: stick, allow: read, match: {device: \"0781:5583\"}, who: {groups: [tax]}, when: {days: mon-fri}}\n"
    "media:\n  rules:\n    - {id: cd, allow: read, match: {bus: optical}, medium: {filesystem: iso9660}}\n"
    "stores:\n  - {id: s, path: /srv, programs: [{path: /bin/client}]}\n";

static void decide_all(const struct policy_cases *cases)
{
    struct names names = {0};
    struct policy_names ops = names_ops(&names);
    struct policy *p = NULL;

    insist(policy_load("fuzz.yaml", (const uint8_t *)document, strlen(document), NULL, &p) == 0);
    insist(policy_resolve(p, &ops, NULL) == 0);
    for (size_t i = 0; i < cases->n && i < 64; i++) {
        json_t *result = cases_decide(&cases->items[i], p, "fuzz.yaml", &names);

        insist(json_is_object(result));
        insist(json_is_boolean(json_object_get(result, "ok")));
        json_decref(result);
    }
    (void)policy_unref(p);
    names_done(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_findings findings = {0};
    struct policy_cases *cases = NULL;
    int r = policy_cases_load(data, size, &findings, &cases);

    insist(r == 0 || r == POLICY_E_INVALID);
    insist((r == 0) == (cases != NULL) && (r == 0) == (findings.n_errors == 0));
    if (cases) {
        insist(cases->n > 0 && cases->n <= POLICY_CASES_MAX);
        decide_all(cases);
    }
    (void)policy_cases_free(cases);
    policy_findings_done(&findings);
    return 0;
}

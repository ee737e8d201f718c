#include "fuzz.h"

#include <assert.h>

#include "config/config.h"
#include "policy/findings.h"

/* Whatever is read, a configuration comes with absolute paths, or not at all. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_findings findings = {0};
    struct config *config = NULL;

    if (config_parse(data, size, &findings, &config) == 0) {
        assert(config && findings.n_errors == 0);
        assert(config->run_directory[0] == '/' && config->state_directory[0] == '/' && config->policy[0] == '/');
        assert(config->n_exits <= CONFIG_EXITS_MAX && config->workers >= 1 && config->self_test_seconds >= 5);
    } else {
        assert(!config);
    }
    (void)config_free(config);
    policy_findings_done(&findings);
    return 0;
}

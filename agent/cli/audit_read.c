/* Owns: reading a journal for a verb, and telling what could not be read. */
#include "cli/audit_read.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/audit_dir.h"
#include "cli/audit_filter.h"
#include "cli/i18n.h"

enum cli_exit audit_read(struct cli *c, const struct cli_arguments *a, const char *directory_name,
                         journal_reader reader, void *context)
{
    struct journal_read_result result = {0};
    struct journal_filter filter = {0};
    _cleanup_close_ int directory = -1;
    enum cli_exit code = audit_filter(c, a, &filter);
    int r;

    if (code == CLI_OK)
        code = audit_dir_open(c, directory_name, &directory);
    if (code != CLI_OK)
        return code;
    r = journal_read(directory, &filter, reader, context, &result);
    if (r == JOURNAL_READ_E_FILE) {
        cli_error(
            c,
            _("the journal's file %s is no regular file: it and what follows are not shown; “kuraban audit verify” tells more"),
            result.segment);
        return CLI_FAILED;
    }
    if (r < 0 && result.segment[0]) {
        cli_error(c, _("cannot read the journal's file %s: %s"), result.segment, strerror(-r));
        return CLI_FAILED;
    }
    if (r < 0) {
        cli_error(c, _("cannot read the journal: %s"), strerror(-r));
        return CLI_FAILED;
    }
    if (result.unreadable > 0)
        cli_error(c, _("%" PRIu64 " lines are no records; “kuraban audit verify” tells more"), result.unreadable);
    return CLI_OK;
}

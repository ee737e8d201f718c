#pragma once

#include "audit/read.h"
#include "cli/cli.h"

/* Reads the journal (directory NULL: the terminal's own) through the filters of audit_filter.h; tells failures and unreadable lines. */
enum cli_exit audit_read(struct cli *c, const struct cli_arguments *a, const char *directory_name,
                         journal_reader reader, void *context);

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/*
 * Which files an export is of: the digest that goes with the codes (docs/PROTOCOL.export.md). Names are those that the files get on the medium
 * (export/names.h), in the order in which the client passes them.
 */

/* digest_fields_finish() ends it. 0, -ENOMEM, -EIO. */
int export_list_new(size_t count, struct digest_fields **ret);
int export_list_add(struct digest_fields *list, const char *name, uint64_t size);

#pragma once

#include "base/buf.h"
#include "cli/present.h"

/* Appends a policy document that permits the present devices. 0, -ENOBUFS or -ENOMEM. */
int generate_policy(const struct present *present, struct buf *ret_yaml);

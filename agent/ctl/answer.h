#pragma once

#include <stdint.h>

#include "base/buf.h"

/* The frames of one answer, added to out. 0, -ENOBUFS: too long, -ENOMEM. */
int ctl_answer_json(struct buf *out, uint32_t code, const char *json);
int ctl_answer_fields(struct buf *out, uint32_t code, const struct buf *fields);

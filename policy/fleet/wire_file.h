#pragma once

#include "policy/fleet/wire_key.h"

/* A key pair of the wire as a file of its owner's alone: one line, the seed. */

/* A new one, instead of what is there. 0 or -errno; ret holds it. */
int wire_file_create(int directory, const char *name, enum nkey_kind kind, struct wire_key **ret);
/* -EBADMSG: not such a key; -EPERM: others can read it; -ENOENT, … */
int wire_file_read(int directory, const char *name, enum nkey_kind kind, struct wire_key **ret);

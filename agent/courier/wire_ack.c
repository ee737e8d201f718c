/*
 * Owns: reading a PubAck of JetStream. Must not: take anything for stored that does not say so.
 */
#include <jansson.h>

#include "base/cleanup.h"
#include "courier/wire.h"

enum {
    ACK_MAX = 4096
};

bool wire_is_stored(const char *bytes, size_t size)
{
    json_t *j = size > 0 && size <= ACK_MAX ? json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool stored = json_is_object(j) && !json_object_get(j, "error") && json_is_string(json_object_get(j, "stream")) &&
                  json_integer_value(json_object_get(j, "seq")) > 0;

    json_decref(j);
    return stored;
}

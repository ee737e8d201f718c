/* What a broker says of its streams, of any bytes: what is asked of it then is always one of our streams with our settings. */
#include "fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>

#include "hub/nats/streams.h"

static void look_at(const struct stream *s, const char *request)
{
    json_t *config = json_loads(request, 0, NULL), *must = json_loads(s->settings, 0, NULL), *value;
    const char *key;

    if (!config || !must)
        abort();
    json_object_foreach(must, key, value) if (!json_equal(json_object_get(config, key), value)) abort();
    json_decref(config);
    json_decref(must);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        char *request = NULL;
        int r = stream_judge(&streams[i], (const char *)data, size, &request);

        if (r < 0 || (request != NULL) != (r == STREAM_E_MISSING || r == STREAM_E_OTHER))
            abort();
        if (request)
            look_at(&streams[i], request);
        free(request);
    }
    return 0;
}

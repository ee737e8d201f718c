/*
 * Owns: which streams there are, and whether one is as it must be.
 * Must not: speak with the broker, or take away what its administrators have set beside ours.
 */
#include "hub/nats/streams.h"

#include <errno.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "json/whole.h"

enum {
    NOT_FOUND = 404,
};

/* Times are nanoseconds. EVT has three quarters of BROKER_STORE_MAX: beyond it terminals keep what they have. */
const struct stream streams[STREAM_COUNT] = {
    {"POL",
     "{\"subjects\":[\"pol.*\"],\"retention\":\"limits\",\"storage\":\"file\",\"max_msgs_per_subject\":1,"
     "\"discard\":\"old\",\"allow_direct\":true}",
     "{}"},
    {"CMD",
     "{\"subjects\":[\"cmd.*.*\"],\"retention\":\"limits\",\"storage\":\"file\",\"max_msgs_per_subject\":1,"
     "\"discard\":\"old\",\"allow_direct\":true,\"max_age\":2592000000000000}",
     "{}"},
    {"ACK",
     "{\"subjects\":[\"ack.*\"],\"retention\":\"limits\",\"storage\":\"file\",\"max_msgs_per_subject\":1,"
     "\"discard\":\"old\",\"allow_direct\":true}",
     "{}"},
    {"REP",
     "{\"subjects\":[\"rep.*\"],\"retention\":\"limits\",\"storage\":\"file\",\"max_msgs_per_subject\":1,"
     "\"discard\":\"old\"}",
     "{}"},
    {"EVT",
     "{\"subjects\":[\"evt.*.*\"],\"retention\":\"workqueue\",\"storage\":\"file\",\"discard\":\"new\","
     "\"duplicate_window\":600000000000}",
     "{\"max_bytes\":12884901888}"},
};

/* Ours over what is there; a new reference. */
static json_t *merge(const json_t *there, const struct stream *stream, const char *more)
{
    _cleanup_(json_decrefp) json_t *all = there ? json_deep_copy(there) : json_pack("{s:s}", "name", stream->name);
    _cleanup_(json_decrefp) json_t *settings = json_loads(stream->settings, 0, NULL),
                                   *first = json_loads(more, 0, NULL);

    if (!all || !settings || !first || json_object_update(all, settings) < 0 || json_object_update(all, first) < 0)
        return NULL;
    return TAKE_PTR(all);
}

static int request(const json_t *there, const struct stream *stream, int verdict, char **ret)
{
    _cleanup_(json_decrefp) json_t *all = merge(there, stream, there ? "{}" : stream->first);
    int r = all ? whole_text(all, JSON_COMPACT, ret) : -ENOMEM;

    return r < 0 ? r : verdict;
}

static int judge_config(const json_t *config, const struct stream *stream, char **ret_request)
{
    _cleanup_(json_decrefp) json_t *must = json_loads(stream->settings, 0, NULL);
    const char *key;
    json_t *value;

    if (!must)
        return -ENOMEM;
    json_object_foreach(must, key, value) if (!json_equal(json_object_get(config, key), value)) return request(
        config, stream, STREAM_E_OTHER, ret_request);
    return STREAM_GOOD;
}

int stream_judge(const struct stream *stream, const char *answer, size_t size, char **ret_request)
{
    _cleanup_(json_decrefp) json_t *document = NULL;
    const json_t *config, *error;

    *ret_request = NULL;
    if (size > STREAM_ANSWER_MAX)
        return STREAM_E_REFUSED;
    document = json_loadb(answer, size, JSON_REJECT_DUPLICATES, NULL);
    error = json_object_get(document, "error");
    if (error)
        return json_integer_value(json_object_get(error, "code")) == NOT_FOUND
                   ? request(NULL, stream, STREAM_E_MISSING, ret_request)
                   : STREAM_E_REFUSED;
    config = json_object_get(document, "config");
    return json_is_object(config) ? judge_config(config, stream, ret_request) : STREAM_E_REFUSED;
}

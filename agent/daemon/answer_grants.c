/*
 * Grants as JSON: for who asks, for the list of devices, for the journal. Reads, changes nothing.
 */
#include <jansson.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/unlock.h"
#include "json/whole.h"
#include "policy/policy.h"

static json_t *time_json(int64_t wall_us)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(wall_us, text);
    return json_string(text);
}

static json_t *factors_json(uint8_t factors)
{
    json_t *array = json_array();

    if (factors & POLICY_FACTOR_PASSWORD)
        whole_add(&array, json_string("password"));
    if (factors & POLICY_FACTOR_TOTP)
        whole_add(&array, json_string("totp"));
    return array;
}

static json_t *approvers_json(const struct grant *g)
{
    json_t *array = json_array();

    for (size_t i = 0; i < g->n_approvers; i++)
        whole_add(&array, json_integer(g->approvers[i]));
    return array;
}

/* By the clock that ends first, told on the clock of now. */
static json_t *until_json(const struct grant *g, const struct grant_time *now)
{
    return time_json(now->wall_us + grant_left_us(g, now));
}

static json_t *seconds_json(const struct grant *g, const struct grant_time *now)
{
    return json_integer((grant_left_us(g, now) + 999999) / 1000000);
}

json_t *answer_device_grant(const struct grant *g, const struct grant_time *now)
{
    if (!g)
        return json_null();
    return json_pack("{s:I, s:I, s:o, s:o, s:b}", "id", (json_int_t)g->id, "uid", (json_int_t)g->uid, "until",
                     until_json(g, now), "seconds", seconds_json(g, now), "ends_soon",
                     grant_left_us(g, now) <= GRANT_WARNING_US);
}

json_t *answer_grant(const struct grant *g, const struct grant_time *now, bool all)
{
    json_t *o = answer_device_grant(g, now);
    int r = json_object_set_new(o, "purpose", json_string(grant_purpose_name(g->purpose)));

    r |= json_object_set_new(o, "device", json_string(g->device.id));
    r |= json_object_set_new(o, "rule", json_string(g->rule));
    r |= json_object_set_new(o, "begin", time_json(g->begin.wall_us));
    r |= json_object_set_new(o, "factors", factors_json(g->factors));
    if (all) {
        r |= json_object_set_new(o, "reason", json_string(g->reason));
        r |= json_object_set_new(o, "approvers", approvers_json(g));
    }
    if (r == 0)
        return o;
    json_decref(o);
    return NULL;
}

json_t *answer_grants(const struct daemon *d, uid_t uid)
{
    struct grant_time now = unlock_now();
    json_t *array = json_array();

    for (size_t i = 0; i < grants_count(d->grants); i++) {
        const struct grant *g = grants_at(d->grants, i);
        bool all = uid == 0 || uid == g->uid;

        if (grant_left_us(g, &now) > 0 && json_array_append_new(array, answer_grant(g, &now, all)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *answer_grant_record(const struct grant *g, enum grant_end why, bool has_by, uid_t by)
{
    json_t *o =
        json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "id", (json_int_t)g->id, "purpose",
                  grant_purpose_name(g->purpose), "reason", g->reason, "approvers", approvers_json(g), "factors",
                  factors_json(g->factors), "begin", time_json(g->begin.wall_us), "until", time_json(g->end.wall_us));

    if (o && why != GRANT_END_NONE)
        whole_set(&o, "ended", json_string(grant_end_name(why)));
    if (o && has_by)
        whole_set(&o, "by", json_integer(by));
    return o;
}

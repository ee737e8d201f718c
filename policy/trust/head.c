/*
 * Owns: the head document: which policy rules one group for the coming days.
 * Must not: verify a signature or compare it with what a terminal holds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

#define DAY_US (INT64_C(24) * 60 * 60 * 1000000)

struct trust_head *trust_head_free(struct trust_head *h)
{
    if (h) {
        free(h->organization);
        free(h->group);
        free(h);
    }
    return NULL;
}

int trust_head_check(const struct trust_head *head, struct trust_complaint *complaint)
{
    const char *const names[] = {head->organization, head->group};
    const uint64_t versions[] = {head->version, head->policy_version};

    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (!names[i] || !*names[i] || strlen(names[i]) > TRUST_NAME_MAX || !text_is_printable_utf8(names[i]))
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d bytes of printable text"),
                                i == 0 ? "organization" : "group", TRUST_NAME_MAX);
    for (size_t i = 0; i < ELEMENTS(versions); i++)
        if (versions[i] < 1 || versions[i] > TRUST_VERSION_MAX)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a number from 1 to %" PRIu64), "version",
                                TRUST_VERSION_MAX);
    if (head->expires_us <= head->issued_us || head->expires_us - head->issued_us > TRUST_HEAD_DAYS_MAX * DAY_US)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("a head must end after it begins, within %d days"),
                            TRUST_HEAD_DAYS_MAX);
    return TRUST_OK;
}

static int read_policy(const json_t *object, struct trust_head *h, struct trust_complaint *complaint)
{
    const json_t *version, *sha256;
    const struct trust_json_field fields[] = {{"version", JSON_INTEGER, false, &version},
                                              {"sha256", JSON_STRING, false, &sha256}};
    int r = trust_json_fields(object, "policy", fields, ELEMENTS(fields), complaint);

    if (r == TRUST_OK)
        r = trust_json_version(version, "version", &h->policy_version, complaint);
    if (r == TRUST_OK)
        r = trust_json_digest(sha256, "sha256", &h->policy_sha256, complaint);
    return r;
}

static int read_head(const json_t *j, struct trust_head *h, struct trust_complaint *complaint)
{
    const json_t *format, *organization, *group, *version, *issued, *expires, *policy;
    const struct trust_json_field fields[] = {
        {"format", JSON_STRING, false, &format}, {"organization", JSON_STRING, false, &organization},
        {"group", JSON_STRING, false, &group},   {"version", JSON_INTEGER, false, &version},
        {"issued", JSON_STRING, false, &issued}, {"expires", JSON_STRING, false, &expires},
        {"policy", JSON_OBJECT, false, &policy},
    };
    int r = TRUST_OK;

    if (json_object_get(j, "format"))
        r = trust_json_format(json_object_get(j, "format"), "kuraban-head", complaint); /* a later one has other keys */
    if (r == TRUST_OK)
        r = trust_json_fields(j, "head", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = trust_json_name(organization, "organization", &h->organization, complaint);
    if (r == TRUST_OK)
        r = trust_json_name(group, "group", &h->group, complaint);
    if (r == TRUST_OK)
        r = trust_json_version(version, "version", &h->version, complaint);
    if (r == TRUST_OK)
        r = trust_json_time(issued, "issued", &h->issued_us, complaint);
    if (r == TRUST_OK)
        r = trust_json_time(expires, "expires", &h->expires_us, complaint);
    if (r == TRUST_OK)
        r = read_policy(policy, h, complaint);
    return r == TRUST_OK ? trust_head_check(h, complaint) : r;
}

int trust_head_parse(const uint8_t *payload, size_t size, struct trust_head **ret, struct trust_complaint *complaint)
{
    _cleanup_(trust_head_freep) struct trust_head *h = NULL;
    _cleanup_json_ json_t *j = NULL;
    int r;

    r = trust_json_load(payload, size, TRUST_HEAD_MAX, "head", &j, complaint);
    if (r != TRUST_OK)
        return r;
    h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    r = read_head(j, h, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(h);
    return r;
}

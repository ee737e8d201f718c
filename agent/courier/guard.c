/*
 * Owns: the questions to kuraband and what its answers must look like. Must not: judge anything that it carries.
 */
#include "courier/guard.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "ctl/protocol.h"
#include "ctl/sealed.h"
#include "policy/fleet/statement.h"
#include "policy/trust/trust.h"

enum {
    DEADLINE_MS = 10 * 1000,
    PIECE = 40 * 1024, /* of a bundle */
    RECORD_MAX = 256 * 1024,
};

void guard_close(struct guard *g)
{
    ctl_client_close(&g->client);
}

struct answer {
    uint32_t code;
    json_t *json;
    int fd;
};

static int ask_once(struct guard *g, uint16_t request, const struct buf *fields, struct answer *ret)
{
    int r = g->client.socket >= 0 ? 0 : ctl_client_open(g->run_directory, &g->client);

    if (r >= 0)
        r = ctl_client_ask_for_fd(&g->client, request, fields, DEADLINE_MS, &ret->code, &ret->json, &ret->fd);
    if (r < 0)
        guard_close(g);
    return r;
}

/* 0 and the answer when its code is OK; GUARD_E_REFUSED: FAILED, told in the log; -errno: the connection is closed. */
static int ask(struct guard *g, uint16_t request, const struct buf *fields, json_t **ret, int *ret_fd)
{
    struct answer a = {CTL_CODE_FAILED, NULL, -1};
    bool idle = g->client.socket >= 0;
    int r = ask_once(g, request, fields, &a);

    /* kuraband closes a connection that was silent for half a minute. */
    if (r < 0 && idle)
        r = ask_once(g, request, fields, &a);
    if (r < 0)
        return r;
    if (a.code == CTL_CODE_OK) {
        *ret = a.json;
        if (ret_fd)
            *ret_fd = a.fd;
        else
            close_fd(a.fd);
        return 0;
    }
    log_notice("guard.refused", "request=%u code=%u reason=%s", request, a.code,
               json_string_value(json_object_get(a.json, "reason")));
    json_decref(a.json);
    close_fd(a.fd);
    return a.code == CTL_CODE_FAILED ? GUARD_E_REFUSED : -EPROTO;
}

static int number(const json_t *j, const char *key, uint64_t *ret)
{
    const json_t *v = json_object_get(j, key);

    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return -EBADMSG;
    *ret = (uint64_t)json_integer_value(v);
    return 0;
}

int guard_hello_read(const json_t *j, struct guard_hello *ret)
{
    const char *terminal = json_string_value(json_object_get(j, "terminal")),
               *state = json_string_value(json_object_get(j, "state"));
    const json_t *groups = json_object_get(j, "groups"), *group;
    struct guard_hello h = {0};
    size_t i;

    if (!terminal || !fleet_is_terminal_id(terminal, strlen(terminal)) || !state ||
        json_array_size(groups) > ELEMENTS(h.groups) || number(j, "sequence", &h.sequence) < 0 ||
        number(j, "acknowledged", &h.acknowledged) < 0 || number(j, "report", &h.report) < 0)
        return -EBADMSG;
    json_array_foreach((json_t *)groups, i, group)
    {
        if (!json_is_string(group) || json_string_length(group) >= sizeof(h.groups[i]))
            return -EBADMSG;
        (void)snprintf(h.groups[i], sizeof(h.groups[i]), "%s", json_string_value(group));
        h.n_groups = i + 1;
    }
    (void)snprintf(h.terminal, sizeof(h.terminal), "%s", terminal);
    h.enrolled = strcmp(state, "none") != 0;
    *ret = h;
    return 0;
}

int guard_hello(struct guard *g, bool up, struct guard_hello *ret)
{
    json_t *answer = NULL;
    struct buf fields;
    int r;

    buf_init(&fields, 8);
    r = buf_add_u8(&fields, up);
    if (r >= 0)
        r = ask(g, CTL_FLEET_HELLO, &fields, &answer, NULL);
    buf_done(&fields);
    if (r == 0)
        r = guard_hello_read(answer, ret);
    json_decref(answer);
    return r > 0 ? -EPROTO : r;
}

int guard_record(struct guard *g, uint64_t from, uint8_t **ret, size_t *ret_size, uint64_t *ret_first,
                 uint64_t *ret_last)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_close_ int fd = -1;
    uint64_t first = 0, last = 0;
    json_t *answer = NULL;
    struct buf fields;
    size_t size = 0;
    int r;

    buf_init(&fields, 16);
    r = buf_add_u64(&fields, from);
    if (r >= 0)
        r = ask(g, CTL_FLEET_RECORD, &fields, &answer, &fd);
    buf_done(&fields);
    if (r == 0 && fd >= 0) {
        r = number(answer, "first", &first);
        if (r == 0)
            r = number(answer, "last", &last);
        if (r == 0)
            r = sealed_read(fd, RECORD_MAX, &bytes, &size);
        if (r == 0 && (first < from || last < first || size == 0))
            r = -EBADMSG;
    }
    json_decref(answer);
    if (r != 0)
        return r < 0 ? r : -EPROTO;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    *ret_first = first;
    *ret_last = last;
    return 0;
}

int guard_report(struct guard *g, char **ret, uint64_t *ret_wanted)
{
    json_t *answer = NULL;
    const char *report;
    char *copy = NULL;
    int r = ask(g, CTL_FLEET_REPORT, NULL, &answer, NULL);

    if (r == 0) {
        report = json_string_value(json_object_get(answer, "report"));
        r = report && strlen(report) <= FLEET_ENVELOPE_MAX ? number(answer, "wanted", ret_wanted) : -EBADMSG;
        copy = r == 0 ? strdup(report) : NULL;
        if (r == 0 && !copy)
            r = -ENOMEM;
    }
    json_decref(answer);
    if (r == 0)
        *ret = copy;
    return r > 0 ? -EPROTO : r;
}

int guard_statement(struct guard *g, const uint8_t *envelope, size_t size)
{
    json_t *answer = NULL;
    struct buf fields;
    int r;

    /* A field holds no NUL and kuraband parses nothing longer: what is refused here would be refused there. */
    if (size > FLEET_ENVELOPE_MAX || memchr(envelope, '\0', size))
        return GUARD_E_REFUSED;
    buf_init(&fields, FLEET_ENVELOPE_MAX + 16);
    r = buf_add_string(&fields, (const char *)envelope);
    if (r >= 0)
        r = ask(g, CTL_FLEET_STATEMENT, &fields, &answer, NULL);
    buf_done(&fields);
    json_decref(answer);
    return r;
}

int guard_bundle(struct guard *g, const uint8_t *bundle, size_t size)
{
    int r = 0;

    if (size == 0 || size > TRUST_BUNDLE_MAX || memchr(bundle, '\0', size))
        return GUARD_E_REFUSED;
    for (size_t at = 0; at < size && r == 0; at += PIECE) {
        _cleanup_free_ char *piece = text_copy((const char *)bundle + at, size - at < PIECE ? size - at : PIECE);
        json_t *answer = NULL;
        struct buf fields;

        if (!piece)
            return -ENOMEM;
        buf_init(&fields, PIECE + 64);
        r = buf_add_u32(&fields, (uint32_t)size);
        if (r >= 0)
            r = buf_add_u32(&fields, (uint32_t)at);
        if (r >= 0)
            r = buf_add_string(&fields, piece);
        if (r >= 0)
            r = ask(g, CTL_FLEET_BUNDLE, &fields, &answer, NULL);
        buf_done(&fields);
        json_decref(answer);
    }
    return r;
}

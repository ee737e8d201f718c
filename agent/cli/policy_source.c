/*
 * Owns: finding the document that a verb is about. Must not: judge it, or take an unsigned file for what rules where a root document
 * is installed: an explanation by the wrong policy is worse than none.
 */
#include "cli/policy_source.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/i18n.h"
#include "cli/trust_file.h"
#include "cli/value.h"
#include "config/config.h"
#include "ctl/protocol.h"

void policy_source_done(struct policy_source *s)
{
    free(s->bytes);
    *s = (struct policy_source){0};
}

/* Of envelopes and bundles; a policy may be written in JSON, which is YAML, but has neither key. */
static bool is_signed(const uint8_t *bytes, size_t size)
{
    static const char *const formats[] = {"\"payloadType\"", "\"kuraban-bundle/"};
    size_t i = 0;

    while (i < size && isspace(bytes[i]))
        i++;
    if (i == size || bytes[i] != '{')
        return false;
    for (size_t k = 0; k < ELEMENTS(formats); k++)
        if (memmem(bytes, size, formats[k], strlen(formats[k])))
            return true;
    return false;
}

static enum cli_exit take(struct policy_source *s, const uint8_t *bytes, size_t size)
{
    s->bytes = malloc(size + 1);
    if (!s->bytes)
        return CLI_FAILED;
    memcpy(s->bytes, bytes, size);
    s->bytes[size] = 0;
    s->size = size;
    return CLI_OK;
}

static enum cli_exit read_file(struct cli *c, const char *path, struct policy_source *s)
{
    struct trust_envelope *envelope = NULL;
    enum cli_exit code = trust_file_bytes(c, path, TRUST_BUNDLE_MAX, &s->bytes, &s->size);

    s->name = cli_safe(c, path);
    if (code != CLI_OK || !is_signed(s->bytes, s->size))
        return code;
    s->is_signed = true;
    free(s->bytes);
    s->bytes = NULL;
    code = trust_file_policy(c, path, &envelope);
    if (code == CLI_OK)
        code = take(s, envelope->payload, envelope->size);
    (void)trust_envelope_free(envelope);
    return code;
}

/* --- what rules this terminal --- */

enum installed {
    INSTALLED_NO = 0,
    INSTALLED_YES,
    INSTALLED_HIDDEN, /* the state directory is root's */
};

static enum installed look(const char *directory, const char *name, char **ret_path)
{
    char *path = NULL;
    int error;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return INSTALLED_HIDDEN;
    error = access(path, F_OK) == 0 ? 0 : errno;
    if (ret_path)
        *ret_path = path;
    else
        free(path);
    return error == 0 ? INSTALLED_YES : error == ENOENT || error == ENOTDIR ? INSTALLED_NO : INSTALLED_HIDDEN;
}

static enum cli_exit read_state(struct cli *c, const char *path, struct policy_source *s, bool *ret_none)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_state *state = NULL;
    _cleanup_free_ uint8_t *bytes = NULL;
    const uint8_t *policy;
    size_t size = 0;
    enum cli_exit code = trust_file_bytes(c, path, TRUST_BUNDLE_MAX, &bytes, &size);
    int r;

    if (code != CLI_OK)
        return code;
    r = trust_state_read(bytes, size, &state, &complaint);
    if (r != 0) {
        (void)trust_file_refused(c, path, r, &complaint);
        return CLI_FAILED;
    }
    policy = trust_state_policy(state, &size);
    s->name = cli_safe(c, path);
    s->is_signed = true;
    *ret_none = !policy;
    if (policy)
        code = take(s, policy, size);
    (void)trust_state_free(state);
    return code;
}

/* A root document and nothing signed yet: kuraband keeps to its copy of what ruled before. */
static enum cli_exit read_copy(struct cli *c, struct policy_source *s)
{
    _cleanup_free_ char *path = NULL;

    s->is_signed = false;
    if (look(c->config->state_directory, "policy.last-good.yaml", &path) == INSTALLED_YES)
        return read_file(c, path, s);
    cli_error(c, _("a root document is installed, but no signed policy yet: everything is refused"));
    return CLI_FAILED;
}

/* Whoever may not look asks kuraband, which tells everybody whether a root document is installed. */
static enum cli_exit ask_installed(struct cli *c)
{
    json_t *status = NULL;
    enum cli_exit code = ask(c, CTL_STATUS, NULL, &status);
    bool installed = json_is_object(json_object_get(status, "trust"));

    json_decref(status);
    if (code == CLI_OK && !installed)
        return CLI_OK;
    cli_error(c, code == CLI_OK
                     ? _("this terminal is ruled by a signed policy that only root may read: be root, or give "
                         "--policy FILE")
                     : _("whether a signed policy rules here only root may see: be root, or give --policy FILE"));
    return CLI_NOT_PERMITTED;
}

static enum cli_exit read_in_force(struct cli *c, struct policy_source *s)
{
    _cleanup_free_ char *path = NULL;
    enum cli_exit code = cli_config(c);
    enum installed state, marker;
    bool none = false;

    if (code != CLI_OK)
        return code;
    state = look(c->config->state_directory, "trust.json", &path);
    marker = look(c->config->state_directory, "trust.installed", NULL);
    if (path && (state == INSTALLED_YES || marker == INSTALLED_YES)) {
        code = read_state(c, path, s, &none);
        return code == CLI_OK && none ? read_copy(c, s) : code;
    }
    if (state == INSTALLED_HIDDEN || marker == INSTALLED_HIDDEN)
        code = ask_installed(c);
    return code == CLI_OK ? read_file(c, c->config->policy, s) : code;
}

enum cli_exit policy_source_read(struct cli *c, const char *path, struct policy_source *ret)
{
    struct policy_source s = {0};
    enum cli_exit code = path ? read_file(c, path, &s) : read_in_force(c, &s);

    if (code == CLI_OK)
        *ret = s;
    else
        policy_source_done(&s);
    return code;
}

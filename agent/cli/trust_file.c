/* Owns: reading and writing signed documents for the verbs, and the words when one cannot be read. Must not: judge signatures. */
#include "cli/trust_file.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/out_file.h"
#include "cli/policy_file.h"

enum {
    SECOND_US = 1000000,
    DAY_SECONDS = 86400,
};

int trust_file_read(struct cli *c, const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size,
                    enum cli_exit *ret_code)
{
    int r = policy_file_read_up_to(path, maximum, ret_bytes, ret_size);

    if (r == -EFBIG)
        return TRUST_E_TOO_LONG;
    if (r >= 0)
        return TRUST_OK;
    cli_error(c, "%s: %s", cli_safe(c, path), r == -EINVAL ? _("this is not a regular file") : strerror(-r));
    *ret_code = r == -EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
    return r;
}

enum cli_exit trust_file_bytes(struct cli *c, const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size)
{
    enum cli_exit code = CLI_OK;
    int r = trust_file_read(c, path, maximum, ret_bytes, ret_size, &code);

    return r > 0 ? trust_file_refused(c, path, r, NULL) : code;
}

enum cli_exit trust_file_refused(struct cli *c, const char *path, int result, const struct trust_complaint *complaint)
{
    if (result < 0) {
        cli_error(c, "%s: %s", cli_safe(c, path), strerror(-result));
        return CLI_FAILED;
    }
    if (complaint && *complaint->text)
        cli_error(c, "%s: %s: %s", cli_safe(c, path), _(trust_result_text((enum trust_result)result)), complaint->text);
    else
        cli_error(c, "%s: %s", cli_safe(c, path), _(trust_result_text((enum trust_result)result)));
    return CLI_NO;
}

/* --- documents --- */

static enum cli_exit read_bundle(struct cli *c, const char *path, struct trust_bundle *ret)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    enum cli_exit code = trust_file_bytes(c, path, TRUST_BUNDLE_MAX, &bytes, &size);
    int r;

    if (code != CLI_OK)
        return code;
    r = trust_bundle_parse(bytes, size, ret, &complaint);
    return r == 0 ? CLI_OK : trust_file_refused(c, path, r, &complaint);
}

void root_file_done(struct root_file *f)
{
    f->envelope = trust_envelope_free(f->envelope);
    f->root = trust_root_free(f->root);
}

enum cli_exit root_file_read(struct cli *c, const char *path, struct root_file *ret)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct trust_bundle b = {0};
    struct root_file f = {.path = path};
    enum cli_exit code = read_bundle(c, path, &b);
    int r;

    if (code != CLI_OK)
        return code;
    if (b.n_roots == 0) {
        cli_error(c, _("%s: this is no root document"), cli_safe(c, path));
        trust_bundle_done(&b);
        return CLI_FAILED;
    }
    f.envelope = TAKE_PTR(b.roots[b.n_roots - 1]);
    b.n_roots--;
    trust_bundle_done(&b);
    r = trust_root_parse(f.envelope->payload, f.envelope->size, &f.root, &complaint);
    if (r != 0) {
        root_file_done(&f);
        return trust_file_refused(c, path, r, &complaint);
    }
    *ret = f;
    return CLI_OK;
}

enum cli_exit trust_file_policy(struct cli *c, const char *path, struct trust_envelope **ret)
{
    struct trust_bundle b = {0};
    enum cli_exit code = read_bundle(c, path, &b);

    if (code == CLI_OK && !b.policy) {
        cli_error(c, _("%s: there is no signed policy in it"), cli_safe(c, path));
        code = CLI_FAILED;
    }
    if (code == CLI_OK)
        *ret = TAKE_PTR(b.policy);
    trust_bundle_done(&b);
    return code;
}

enum cli_exit trust_file_head(struct cli *c, const char *path, struct trust_envelope **ret)
{
    struct trust_bundle b = {0};
    enum cli_exit code = read_bundle(c, path, &b);

    if (code == CLI_OK && !b.head) {
        cli_error(c, _("%s: there is no head in it"), cli_safe(c, path));
        code = CLI_FAILED;
    }
    if (code == CLI_OK)
        *ret = TAKE_PTR(b.head);
    trust_bundle_done(&b);
    return code;
}

enum cli_exit trust_file_write(struct cli *c, const char *path, const struct trust_envelope *e, bool replace)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_envelope_write(e, &bytes, &size);

    if (r != 0)
        return trust_file_refused(c, path, r, NULL);
    return out_file_write(c, path, bytes, size, 0644, replace);
}

/* --- values of options --- */

enum cli_exit trust_time(struct cli *c, const char *option, const char *text, bool end, int64_t *ret)
{
    int64_t at;

    if (clock_parse_rfc3339(text, &at) < 0)
        return cli_usage(c, _("--%s: “%s” is no time; write 2027-03-31, or 2027-03-31T17:15:00+09:00"), option,
                         cli_safe(c, text));
    /* A bare date has ten characters and means midnight. */
    if (end && strlen(text) == strlen("2027-03-31"))
        at += (int64_t)(DAY_SECONDS - 1) * SECOND_US;
    *ret = at;
    return CLI_OK;
}

enum cli_exit trust_number(struct cli *c, const char *option, const char *text, uint64_t maximum, uint64_t *ret)
{
    uint64_t value;

    if (text_to_u64(text, maximum, &value) < 0 || value == 0)
        return cli_usage(c, _("--%s needs a number from 1 to %llu"), option, (unsigned long long)maximum);
    *ret = value;
    return CLI_OK;
}

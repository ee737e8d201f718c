/*
 * kuraban enrol: this machine becomes a terminal of a centre. kuraband signs the request and verifies the answer; kuraban-fetch, which is nobody,
 * speaks with the centre.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/enrol.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/value.h"
#include "config/config.h"
#include "courier/centre.h"
#include "ctl/protocol.h"
#include "json/whole.h"

enum {
    OPTION_HUB,
    OPTION_CA_PIN,
    OPTION_TOKEN,
    OPTION_TOKEN_FILE,
    OPTION_ROOT_ID,
    OPTION_WAIT,
};

enum {
    PORT = 8443,
    WAIT_MAX = 7 * 24 * 60, /* minutes */
    PAUSE_S = 10,           /* between two questions whether a person has let it in */
    URL_SIZE = 300,
    PASSWD_SIZE = 16 * 1024,
};

const struct cli_option cli_enrol_options[] = {
    [OPTION_HUB] = {"hub", "URL", N_("the centre: https://HOST:8443")},
    [OPTION_CA_PIN] = {"ca-pin", "PIN", N_("the pin that came with the token: sha256:…")},
    [OPTION_TOKEN] = {"token", "TOKEN", N_("the token; others see it in the list of processes, so better:")},
    [OPTION_TOKEN_FILE] = {"token-file", "FILE", N_("the first line of a file, or /dev/fd/0 (asked for unless given)")},
    [OPTION_ROOT_ID] = {"root-id", "FINGERPRINT", N_("of the root document to be installed: do not ask")},
    [OPTION_WAIT] = {"wait", "MINUTES", N_("how long to wait for a person's approval (0)")},
    {0},
};

/* What one call works with. */
struct enrolling {
    struct cli *c;
    char hub[URL_SIZE];
    struct enrol_fetch fetch;
    struct passphrase *token;
    const char *root_id;
    uint64_t minutes;
    int folder;
    struct wire_key *wire;
    char *body; /* of the request: holds the token */
    bool has_root;
    struct enrol_answer answer;
};

static void enrolling_done(struct enrolling *e)
{
    (void)passphrase_free(e->token);
    (void)close_fd(e->folder);
    (void)wire_key_free(e->wire);
    if (e->body)
        explicit_bzero(e->body, strlen(e->body));
    free(e->body);
    enrol_answer_done(&e->answer);
}

/* --- options --- */

/* With "https://" and a port, whether they were given or not. */
static bool read_hub(const char *text, char ret[static URL_SIZE])
{
    const char *host = text_starts(text, "https://") ? text + strlen("https://") : text, *colon, *bracket;
    size_t length = strlen(host);
    int n;

    if (length > 0 && host[length - 1] == '/')
        length--;
    if (length == 0 || strcspn(host, "/@?#\\ ") < length || !text_is_printable_utf8(host))
        return false;
    colon = memrchr(host, ':', length);
    bracket = memrchr(host, ']', length);
    n = colon && (!bracket || colon > bracket) ? snprintf(ret, URL_SIZE, "https://%.*s", (int)length, host)
                                               : snprintf(ret, URL_SIZE, "https://%.*s:%d", (int)length, host, PORT);
    return n > 0 && n < URL_SIZE;
}

static enum cli_exit read_token(struct enrolling *e, const struct cli_arguments *a)
{
    struct cli *c = e->c;

    passphrase_protect();
    if (a->values[OPTION_TOKEN] && a->values[OPTION_TOKEN_FILE])
        return cli_usage(c, _("--token or --token-file, not both"));
    if (a->values[OPTION_TOKEN_FILE])
        return passphrase_read_file(c, a->values[OPTION_TOKEN_FILE], &e->token);
    if (!a->values[OPTION_TOKEN])
        return passphrase_ask_shown(c, _("Token: "), &e->token);
    e->token = passphrase_take((char *)a->values[OPTION_TOKEN]); /* out of the list of processes */
    return e->token ? CLI_OK : cli_usage(c, _("this is no token"));
}

static enum cli_exit read_options(struct enrolling *e, const struct cli_arguments *a)
{
    struct cli *c = e->c;
    struct digest root;

    e->root_id = a->values[OPTION_ROOT_ID];
    if (!a->values[OPTION_HUB] || !a->values[OPTION_CA_PIN])
        return cli_usage(c, _("--hub and --ca-pin are needed; they come with the token"));
    if (!read_hub(a->values[OPTION_HUB], e->hub))
        return cli_usage(c, _("“%s” is no address of a centre: https://HOST:PORT"), cli_safe(c, a->values[OPTION_HUB]));
    if (!enrol_read_digest(a->values[OPTION_CA_PIN], &e->fetch.pin))
        return cli_usage(c, _("“%s” is no pin: sha256: and 64 hexadecimal digits"),
                         cli_safe(c, a->values[OPTION_CA_PIN]));
    if (e->root_id && !enrol_read_digest(e->root_id, &root))
        return cli_usage(c, _("“%s” is no fingerprint: sha256: and 64 hexadecimal digits"), cli_safe(c, e->root_id));
    if (a->values[OPTION_WAIT] && text_to_u64(a->values[OPTION_WAIT], WAIT_MAX, &e->minutes) < 0)
        return cli_usage(c, _("--wait is 0 to %d minutes"), WAIT_MAX);
    e->fetch.hub = e->hub;
    return read_token(e, a);
}

/* --- the courier's folder --- */

static enum cli_exit folder_failed(struct cli *c, int error)
{
    const char *place = cli_safe(c, c->config->state_directory);

    if (error == -EPERM)
        cli_error(c, _("%s/courier belongs to another user than the courier, or others can enter it"), place);
    else if (error == -EBADMSG)
        cli_error(c, _("%s/courier/wire.nk is no key; remove it"), place);
    else
        cli_error(c, "%s/courier: %s", place, strerror(-error));
    return CLI_FAILED;
}

static enum cli_exit find_user(struct enrolling *e)
{
    struct cli *c = e->c;
    struct passwd entry, *found = NULL;
    char buffer[PASSWD_SIZE];

    (void)getpwnam_r(c->config->courier_user, &entry, buffer, sizeof(buffer), &found);
    if (!found || found->pw_uid == 0) {
        cli_error(c, _("there is no user %s, whom the courier runs as"), cli_safe(c, c->config->courier_user));
        return CLI_FAILED;
    }
    e->fetch.user = found->pw_uid;
    e->fetch.group = found->pw_gid;
    return CLI_OK;
}

/* The key of the wire stays the same when this is called again: the centre's answer may have been lost. */
static enum cli_exit open_folder(struct enrolling *e)
{
    struct cli *c = e->c;
    _cleanup_close_ int state = open(c->config->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = state < 0 ? -errno : centre_folder(state, e->fetch.user, e->fetch.group, 1);

    if (r >= 0) {
        e->folder = r;
        r = centre_key_read(e->folder, &e->wire);
    }
    if (r == -ENOENT && e->folder >= 0)
        r = centre_key_create(e->folder, &e->wire);
    return r < 0 ? folder_failed(c, r) : CLI_OK;
}

/* --- the request --- */

static int make_body(struct enrolling *e, const json_t *enrolment)
{
    json_t *j = json_pack("{s:s%, s:O}", "token", e->token->text, e->token->size, "enrolment", enrolment);
    int r = whole_text(j, JSON_COMPACT, &e->body);
    json_t *token = json_object_get(j, "token");

    if (token)
        explicit_bzero((char *)json_string_value(token), json_string_length(token));
    json_decref(j);
    return r;
}

static enum cli_exit make_request(struct enrolling *e)
{
    char token[DIGEST_HEX_SIZE], pin[DIGEST_HEX_SIZE];
    struct digest digest;
    json_t *answer = NULL;
    struct buf fields;
    enum cli_exit code = CLI_FAILED;

    if (digest_bytes(e->token->text, e->token->size, &digest) < 0)
        return CLI_FAILED;
    digest_to_hex(&digest, token);
    digest_to_hex(&e->fetch.pin, pin);
    buf_init(&fields, 1024);
    if (buf_add_string(&fields, token) == 0 && buf_add_string(&fields, pin) == 0 &&
        buf_add_string(&fields, wire_key_public(e->wire)) == 0)
        code = ask(e->c, CTL_FLEET_ENROL, &fields, &answer);
    buf_done(&fields);
    if (code != CLI_OK)
        return code;
    e->has_root = value_bool(answer, "root");
    if (make_body(e, json_object_get(answer, "enrolment")) < 0)
        code = CLI_FAILED;
    json_decref(answer);
    return code;
}

/* --- the answer --- */

static enum cli_exit wait_a_little(struct enrolling *e, uint64_t *left_s)
{
    const struct timespec pause = {.tv_sec = PAUSE_S};

    if (*left_s == 0) {
        cli_error(
            e->c, "%s",
            _("the centre has the request, and a person must approve it. Call this again with the same token, or with "
              "--wait"));
        return CLI_NO;
    }
    if (*left_s == e->minutes * 60)
        (void)fprintf(e->c->err, "%s\n", _("Waiting for a person at the centre: kuraban-hub terminals approve"));
    *left_s -= *left_s > PAUSE_S ? PAUSE_S : *left_s;
    (void)clock_nanosleep(CLOCK_BOOTTIME, 0, &pause, NULL);
    return CLI_OK;
}

static enum cli_exit fetch(struct enrolling *e)
{
    uint64_t left_s = e->minutes * 60;

    for (;;) {
        enum cli_exit code = enrol_fetch(e->c, &e->fetch, "/v1/enrol", e->body, &e->answer);

        if (code != CLI_OK)
            return code;
        if (e->answer.status == 200)
            return CLI_OK;
        if (e->answer.status != 202)
            return enrol_refused(e->c, &e->answer);
        enrol_answer_done(&e->answer);
        code = wait_a_little(e, &left_s);
        if (code != CLI_OK)
            return code;
    }
}

static void show_joined(struct cli *c, const json_t *answer)
{
    const json_t *groups = json_object_get(answer, "groups"), *group;
    size_t i;

    (void)fprintf(c->out, _("This machine is the terminal %s of the centre now. Its groups:"),
                  cli_safe(c, value_string(answer, "terminal")));
    json_array_foreach(groups, i, group)(void) fprintf(c->out, " %s", cli_safe(c, json_string_value(group)));
    (void)fprintf(c->out, "\n%s\n", _("Its policy comes with the courier: systemctl enable --now kuraban-courier"));
}

/* kuraband verifies, installs and keeps; *ret is its answer. */
static enum cli_exit join(struct enrolling *e, json_t **ret)
{
    const json_t *roots = json_object_get(e->answer.body, "roots"), *m = json_object_get(e->answer.body, "membership");
    char confirmed[DIGEST_HEX_SIZE] = "";
    _cleanup_free_ char *text = NULL;
    enum cli_exit code = CLI_OK;
    struct buf fields;
    json_t *j;
    int r;

    if (!json_is_array(roots) || !json_is_object(m)) {
        cli_error(e->c, "%s", _("what came back is no answer of a centre"));
        return CLI_FAILED;
    }
    if (!e->has_root)
        code = enrol_confirm_root(e->c, roots, e->root_id, confirmed);
    if (code != CLI_OK)
        return code;
    j = json_pack("{s:O, s:O}", "roots", roots, "membership", m);
    r = whole_text(j, JSON_COMPACT, &text);
    json_decref(j);
    if (r < 0)
        return ask_failed(e->c, r);
    buf_init(&fields, 1024);
    code = buf_add_string(&fields, wire_key_public(e->wire)) == 0 && buf_add_string(&fields, confirmed) == 0
               ? ask_with_both(e->c, CTL_FLEET_JOIN, &fields, text, strlen(text), ret)
               : CLI_FAILED;
    buf_done(&fields);
    return code;
}

static int fill_centre(struct enrolling *e, struct centre *ret)
{
    const json_t *urls = json_object_get(e->answer.body, "urls"), *url;
    size_t i;

    ret->jwt = strdup(value_string(e->answer.body, "jwt"));
    ret->ca = strdup(e->answer.ca);
    ret->hub = strdup(e->hub);
    ret->pin = e->fetch.pin;
    json_array_foreach(urls, i, url)
    {
        if (i == CENTRE_URLS_MAX || !json_is_string(url))
            return -EBADMSG;
        ret->urls[i] = strdup(json_string_value(url));
        if (!ret->urls[i])
            return -ENOMEM;
        ret->n_urls++;
    }
    return ret->jwt && ret->ca && ret->hub ? 0 : -ENOMEM;
}

static enum cli_exit keep_centre(struct enrolling *e)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct centre centre = {0};
    int r = fill_centre(e, &centre);

    if (r == 0)
        r = centre_write(e->folder, &centre, &complaint);
    centre_done(&centre);
    if (r > 0) {
        cli_error(e->c, "%s: %s", _("what came back is no answer of a centre"), cli_safe(e->c, complaint.text));
        return CLI_FAILED;
    }
    return r < 0 ? folder_failed(e->c, r) : CLI_OK;
}

static enum cli_exit enrol(struct enrolling *e, const struct cli_arguments *a)
{
    json_t *joined = NULL;
    enum cli_exit code = read_options(e, a);

    if (code == CLI_OK)
        code = find_user(e);
    if (code == CLI_OK)
        code = open_folder(e);
    if (code == CLI_OK)
        code = make_request(e);
    if (code == CLI_OK)
        code = fetch(e);
    if (code == CLI_OK)
        code = join(e, &joined);
    if (code == CLI_OK)
        code = keep_centre(e);
    if (code == CLI_OK)
        cli_show(e->c, joined, show_joined);
    json_decref(joined);
    return code;
}

enum cli_exit cli_enrol(struct cli *c, const struct cli_arguments *a)
{
    struct enrolling e = {.c = c, .folder = -1};
    enum cli_exit code = cli_config(c);

    if (code != CLI_OK)
        return code;
    if (geteuid() != 0) {
        cli_error(c, "%s", _("only root enrols a machine"));
        return CLI_NOT_PERMITTED;
    }
    code = enrol(&e, a);
    enrolling_done(&e);
    return code;
}

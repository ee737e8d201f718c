/*
 * kuraban export: takes files to a medium, through the one process that may write there. Owns: opening the files (only to name them: O_PATH),
 * the codes while they are here, what the person sees. Must not: read a file or touch the medium.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/approval.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/export_list.h"
#include "cli/export_talk.h"
#include "cli/export_words.h"
#include "cli/factor.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/value.h"
#include "ctl/protocol.h"
#include "mfa/mfa.h"

enum {
    OPTION_TO,
    OPTION_REASON,
    OPTION_APPROVER,
    DEADLINE_MS = 60000,
};

const struct cli_option cli_export_options[] = {
    [OPTION_TO] =
        {"to", "DEVICE",
         N_("the medium (vfat, exfat or ext2 to ext4): its ID, node, label or serial number, as “kuraban devices” shows it")},
    [OPTION_REASON] = {"reason", "TEXT", N_("what it is for, at most 200 bytes; goes to the journal")},
    [OPTION_APPROVER] = {"approver", "USER",
                         N_("a colleague who approves here with a code; once for each, at most three")},
    {0},
};

struct wish {
    const char *device;
    struct approval approval;
    char list[DIGEST_HEX_SIZE]; /* of the files */
    struct export_talk talk;
    json_t *begun; /* kuraband's answer */
    struct cli *c;
    enum export_phase phase; /* as last shown */
    uint64_t phase_us;       /* since when */
    bool shown;
};

static void wish_done(struct wish *w)
{
    approval_done(&w->approval);
    export_talk_done(&w->talk);
    json_decref(w->begun);
}

/* --- what was given --- */

/* Every one of them is looked at, so that a person sees all that is wrong at once. */
static enum cli_exit open_files(struct cli *c, const struct cli_arguments *a, struct wish *w)
{
    enum cli_exit code = CLI_OK;

    w->talk.files = calloc((size_t)a->n_words, sizeof(*w->talk.files));
    if (!w->talk.files)
        return CLI_FAILED;
    for (int i = 0; i < a->n_words; i++) {
        struct export_file *f = &w->talk.files[w->talk.n++];
        struct stat st;

        f->path = a->words[i];
        f->fd = open(f->path, O_PATH | O_CLOEXEC);
        if (f->fd < 0 || fstat(f->fd, &st) < 0) {
            cli_error(c, "%s: %s", cli_safe(c, f->path), strerror(errno));
            code = CLI_FAILED;
        } else if (!S_ISREG(st.st_mode)) {
            cli_error(c, S_ISDIR(st.st_mode) ? _("%s is a directory: name its files") : _("%s is no file"),
                      cli_safe(c, f->path));
            code = CLI_FAILED;
        } else {
            f->size = (uint64_t)st.st_size;
        }
    }
    return code;
}

static enum cli_exit take_arguments(struct cli *c, const struct cli_arguments *a, struct wish *w)
{
    enum cli_exit code;

    w->device = a->values[OPTION_TO];
    if (!w->device || !*w->device)
        return cli_usage(c, "%s", _("--to is needed: which medium? “kuraban devices” lists them"));
    if (a->n_words > EXPORT_FILES_MAX)
        return cli_usage(c, _("at most %d files at once"), EXPORT_FILES_MAX);
    code = approval_take(c, a, OPTION_REASON, OPTION_APPROVER, &w->approval);
    if (code == CLI_OK)
        code = open_files(c, a, w);
    if (code == CLI_OK)
        code = export_list_name(c, w->talk.files, w->talk.n);
    return code == CLI_OK ? export_list_hex(c, w->talk.files, w->talk.n, w->list) : code;
}

/* --- asking kuraband --- */

static int add_fields(struct buf *b, const struct wish *w)
{
    int r = buf_add_string(b, w->device);

    if (r == 0)
        r = buf_add_string(b, w->approval.reason);
    if (r == 0)
        r = buf_add_string(b, w->list);
    return r == 0 ? approval_add_fields(b, &w->approval) : r;
}

static enum cli_exit ask_kuraband(struct cli *c, struct wish *w, uint32_t *ret_code)
{
    struct ctl_client client = {.socket = -1};
    enum cli_exit code = ask_open(c, &client);
    struct buf fields;
    int r;

    if (code != CLI_OK)
        return code;
    json_decref(w->begun);
    w->begun = NULL;
    buf_init(&fields, 4096);
    r = add_fields(&fields, w);
    if (r >= 0)
        r = ctl_client_ask_for_fd(&client, CTL_EXPORT, &fields, DEADLINE_MS, ret_code, &w->begun, &w->talk.socket);
    buf_done(&fields);
    ctl_client_close(&client);
    return r < 0 ? ask_failed(c, r) : CLI_OK;
}

static void show_list(struct cli *c, void *context)
{
    const struct wish *w = context;
    char device[256];

    export_list_show(c, &(struct export_list_words){.device = approval_device(w->begun, device, sizeof(device)),
                                                    .reason = w->approval.reason,
                                                    .files = w->talk.files,
                                                    .n = w->talk.n});
}

static enum cli_exit ask_codes(struct cli *c, struct wish *w)
{
    const json_t *asked = json_object_get(w->begun, "asked");
    int64_t approvals = value_number(w->begun, "approvals");

    approval_tell_unasked(c, &w->approval, json_object_get(w->begun, "unasked"));
    if ((int64_t)json_array_size(asked) < approvals)
        cli_error(c,
                  ngettext("some files need the approval of %d colleague: --approver USER",
                           "some files need the approval of %d colleagues: --approver USER for each",
                           (unsigned long)approvals),
                  (int)approvals);
    return approval_ask(c, &w->approval, asked, show_list, w);
}

/* --- what is refused --- */

static enum cli_exit tell_not_begun(struct cli *c, const struct wish *w, uint32_t code)
{
    const char *reason = value_string(w->begun, "reason");

    if (code == CTL_CODE_INVALID)
        return cli_usage(c, "%s", _("kuraband does not accept these values"));
    if (text_equal(reason, "code"))
        return approval_tell_code(c, w->begun);
    return export_tell_not_begun(c, w->begun);
}

/* --- while it runs --- */

static void show_progress(void *context, enum export_phase phase, uint64_t done, uint64_t total)
{
    static const char *const words[] = {N_("reading"), N_("packing"), N_("writing"), N_("checking")};
    struct wish *w = context;
    uint64_t now = clock_boottime_us(), left = 0;
    double percent = total > 0 ? 100.0 * (double)done / (double)total : 100.0;

    if (!w->shown || phase != w->phase) {
        w->phase = phase;
        w->phase_us = now;
    }
    w->shown = true;
    if (done > 0 && done <= total)
        left = (uint64_t)((double)(now - w->phase_us) / (double)done * (double)(total - done) / 1000000.0);
    (void)fputs("\r", w->c->err);
    (void)fprintf(w->c->err, _("%s: %3.0f %% of %.1f MiB, %" PRIu64 ":%02" PRIu64 " left"), _(words[phase]), percent,
                  (double)total / 1048576.0, left / 60, left % 60);
    (void)fputs("\033[K", w->c->err);
    (void)fflush(w->c->err);
}

static void end_progress(const struct wish *w)
{
    if (w->shown)
        (void)fputs("\r\033[K", w->c->err);
}

/* Of what has a password: by its name's ending, before which a number may stand. */
static bool is_luks(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".img") == 0;
}

static void text_finished(struct cli *c, const json_t *answer)
{
    const char *password = value_string(answer, "password"), *name = value_string(answer, "name");
    int64_t n = value_number(answer, "files");

    (void)fprintf(c->out, ngettext("%d file is on %s: %s\n", "%d files are on %s: %s\n", (unsigned long)n), (int)n,
                  cli_safe(c, value_string(answer, "node")), cli_safe(c, name));
    if (!*password)
        return;
    (void)fprintf(c->out, _("Password: %s"), password);
    (void)fprintf(
        c->out, "\n%s\n%s\n",
        _("It is shown this once only. Tell it to who receives the medium on another way than with the medium."),
        is_luks(name) ? _("Linux opens the file: by a double click, or “cryptsetup open”.")
                      : _("7-Zip opens the file."));
}

static enum cli_exit finished(struct cli *c, const struct wish *w)
{
    json_t *answer = json_pack("{s:s, s:s, s:s, s:I}", "id", value_string(w->begun, "id"), "device",
                               value_string(w->begun, "device"), "node", value_string(w->begun, "node"), "files",
                               (json_int_t)w->talk.n);

    if (!answer || json_object_set_new(answer, "name", json_string(w->talk.name)) < 0 ||
        json_object_set_new(answer, "password", w->talk.password ? json_string(w->talk.password) : json_null()) < 0) {
        cli_error(c, "%s", strerror(ENOMEM));
        json_decref(answer);
        return CLI_FAILED;
    }
    cli_show(c, answer, text_finished);
    json_decref(answer);
    return CLI_OK;
}

static enum cli_exit talk(struct cli *c, struct wish *w)
{
    int r;

    w->c = c;
    if (!c->json && isatty(fileno(c->err)))
        w->talk.progress = show_progress;
    w->talk.context = w;
    r = export_talk(&w->talk);
    end_progress(w);
    if (r < 0)
        return export_tell_end(c, r == -ENODATA || r == -ECONNRESET ? "stopped" : "failed", strerror(-r),
                               w->talk.written);
    if (w->talk.outcome == EXPORT_E_FINISHED)
        return finished(c, w);
    if (w->talk.outcome == EXPORT_E_REFUSED)
        return export_tell_files(c, w->talk.files, w->talk.n);
    return export_tell_end(c, w->talk.name, w->talk.detail, w->talk.written);
}

static enum cli_exit take_out(struct cli *c, struct wish *w)
{
    uint32_t code = CTL_CODE_FAILED;
    enum cli_exit result = ask_kuraband(c, w, &code);

    if (result == CLI_OK && code == CTL_CODE_FAILED && text_equal(value_string(w->begun, "reason"), "code-needed")) {
        result = ask_codes(c, w);
        if (result == CLI_OK)
            result = ask_kuraband(c, w, &code);
    }
    if (result != CLI_OK)
        return result;
    if (code != CTL_CODE_OK)
        return tell_not_begun(c, w, code);
    if (w->talk.socket < 0)
        return factor_bad_answer(c);
    if (!w->approval.codes[0])
        approval_tell_unasked(c, &w->approval, json_object_get(w->begun, "unasked"));
    return talk(c, w);
}

/* A descriptor for every file, and as many on their way. */
static void raise_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
}

enum cli_exit cli_export(struct cli *c, const struct cli_arguments *a)
{
    struct wish w = {.talk = {.socket = -1}};
    enum cli_exit code;

    passphrase_protect();
    raise_limit();
    code = take_arguments(c, a, &w);
    if (code == CLI_OK)
        code = take_out(c, &w);
    wish_done(&w);
    return code;
}

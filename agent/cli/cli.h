#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

struct json_t;
struct config;

/* The exit codes of kuraban(1) and kuraban-hub(8). */
enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1, /* the answer is no: errors in the policy, a broken journal, something that does not enforce */
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 3,   /* kuraband does not answer */
    CLI_NOT_PERMITTED = 4, /* not this person */
    CLI_FAILED = 5,
    CLI_INCOMPLETE = 6, /* doctor: nothing wrong was found, but not everything could be looked at */
};

enum {
    CLI_OPTIONS_MAX = 28,
    CLI_GIVEN_MAX = 128, /* options in one call */
};

/* One run of a program. Everything goes through it, so that tests can give streams and read what came. */
struct cli {
    const struct cli_program *program;
    FILE *out, *err;
    bool json;
    bool lost;             /* cli_lost() */
    const char *place;     /* of the program's option that says where; NULL: where it is by default */
    struct config *config; /* cli_config() */
    void (*forget_config)(struct cli *c);
    const char *sysfs; /* "/sys" */
    const char *proc;  /* "/proc" */
    const char *root;  /* where /etc is; NULL: "" */
    char **scratch;    /* cli_safe() */
    size_t n_scratch;
};

/* A long option of a verb. */
struct cli_option {
    const char *name;     /* NULL ends the list */
    const char *argument; /* placeholder in the help, NULL: none taken */
    const char *help;     /* msgid */
};

/* What the verb was called with. */
struct cli_arguments {
    const char
        *values[CLI_OPTIONS_MAX]; /* by place in the verb's table; "" for a given option without argument; else NULL */
    char **words;
    int n_words;
    /* Every one as it was given, for options that may come more than once. */
    struct cli_given {
        size_t option;
        const char *value;
    } given[CLI_GIVEN_MAX];
    size_t n_given;
};

struct cli_verb {
    const char *name;  /* "status", "policy check", "policy root show" */
    const char *words; /* "FILE", "" */
    int words_min, words_max;
    const char *help;                 /* msgid, one line */
    const struct cli_option *options; /* NULL: none but the common ones */
    enum cli_exit (*run)(struct cli *c, const struct cli_arguments *a);
};

/* What programs with verbs differ in. */
struct cli_program {
    const char *name;             /* "kuraban" */
    const struct cli_verb *verbs; /* ends with {NULL} */
    struct cli_option place;      /* the common option that says where what it works on is */
    const char *exit_words;       /* msgid: its exit codes, and where more is */
};

extern const struct cli_verb cli_verbs[];
extern const struct cli_program cli_kuraban;

/* All of main(): this process' streams, its language, and its exit code. */
int cli_main(const struct cli_program *program, int argc, char **argv);
/* The same with what c names: for tests. */
enum cli_exit cli_run(struct cli *c, int argc, char **argv);
void cli_done(struct cli *c);

/* The configuration, read once. On failure it has said why. */
enum cli_exit cli_config(struct cli *c);

/* "PROGRAM: …" on the error stream. */
void cli_error(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for a wrong call, with a hint where help is; returns CLI_USAGE. */
enum cli_exit cli_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Below what was refused or failed: what the person can do next. A msgid; NULL: nothing. */
void cli_next(struct cli *c, const char *words);

/* s (NULL: "") with everything a terminal might obey made visible; lives until cli_forget() or cli_done(). */
const char *cli_safe(struct cli *c, const char *s);
void cli_forget(struct cli *c);

/* Writes answer as JSON, or through text for people. */
typedef void cli_text(struct cli *c, const struct json_t *answer);
void cli_show(struct cli *c, const struct json_t *answer, cli_text *text);
/* What should have been shown was not, for this -errno: said, and the verb does not end well. */
void cli_lost(struct cli *c, int r);

/* Verbs, one file each. */
enum cli_exit cli_status(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_devices(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_why(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_check(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_explain(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_test(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_diff(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_generate(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_import_usbguard(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_schema(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_show(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_keygen(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_create(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_sign(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_rotate(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_show(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_sign(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_verify(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_head(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_bundle(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_apply(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_install(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_policy_root_remove(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_audit_verify(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_audit_show(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_audit_export(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_enrol(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_list(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_status(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_disable(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_reset(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_reissue(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_lift(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_import_google(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_import_oath(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_mfa_lint(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_enrol(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_doctor(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_sync(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_rescan(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_reload(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_emergency(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_purge(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_unlock(struct cli *c, const struct cli_arguments *a);
enum cli_exit cli_export(struct cli *c, const struct cli_arguments *a);

extern const struct cli_option cli_devices_options[], cli_why_options[], cli_policy_check_options[],
    cli_policy_explain_options[], cli_audit_verify_options[], cli_audit_show_options[], cli_audit_export_options[],
    cli_emergency_options[], cli_purge_options[];
extern const struct cli_option cli_policy_keygen_options[], cli_policy_root_create_options[],
    cli_policy_root_sign_options[], cli_policy_root_rotate_options[], cli_policy_root_show_options[],
    cli_policy_sign_options[], cli_policy_verify_options[], cli_policy_head_options[], cli_policy_bundle_options[];
extern const struct cli_option cli_policy_root_install_options[], cli_policy_root_remove_options[];
extern const struct cli_option cli_policy_import_usbguard_options[];
extern const struct cli_option cli_policy_test_options[];
extern const struct cli_option cli_enrol_options[];
extern const struct cli_option cli_unlock_options[];
extern const struct cli_option cli_export_options[];
extern const struct cli_option cli_mfa_enrol_options[], cli_mfa_disable_options[], cli_mfa_reset_options[],
    cli_mfa_import_options[], cli_mfa_lint_options[];

/*
 * Owns: kuraban-config/1, from bytes to struct config. Must not: create what it names or look whether it exists; that is the
 * daemon's to do and to report.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "policy/doc.h"
#include "policy/findings.h"

enum {
    CONFIG_PATH_MAX = 1024,
    DEFAULT_SELF_TEST_SECONDS = 60,
    DEFAULT_WORKERS = 4,
    DEFAULT_MEDIUM_PATIENCE_SECONDS = 60, /* the kernel gives a command to a USB disk 30, and then tries again */
    DEPTH_MAX = 3,
    NODES_MAX = 1024,
};

#define DEFAULT_RUN_DIRECTORY "/run/kuraban"
#define DEFAULT_STATE_DIRECTORY "/var/lib/kuraban"
#define DEFAULT_POLICY KURABAN_CONFIG_DIR "/policy.yaml"
#define DEFAULT_COURIER "_kuraban"

static const struct doc_choice switches[] = {{"on", CONFIG_ON}, {"off", CONFIG_OFF}, {0}};
static const struct doc_choice keepers[] = {{"auto", CONFIG_AUTO}, {"on", CONFIG_ON}, {"off", CONFIG_OFF}, {0}};
static const struct doc_choice media[] = {
    {"on", CONFIG_MEDIA_ON}, {"listed", CONFIG_MEDIA_LISTED}, {"off", CONFIG_MEDIA_OFF}, {0}};

static const struct doc_field terminal_fields[] = {
    {.key = "id",
     .type = DOC_STRING,
     .maximum = CONFIG_NAME_MAX,
     DOC_AT(struct config, terminal_id),
     .text = N_("its name in the policies of the organization")},
    {.key = "groups",
     .type = DOC_STRINGS,
     .maximum = CONFIG_GROUPS_MAX,
     DOC_AT(struct config, terminal_groups),
     DOC_COUNT_AT(struct config, n_terminal_groups),
     .text = N_("the groups of terminals it belongs to")},
};

/* An empty name would be one that any slip in a policy's scope fits. */
static int check_terminal(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct config *c = object;

    if (c->terminal_id && !*c->terminal_id)
        doc_error(d, doc_find(d, node, "id"), N_("“%s” must not be empty"), "id");
    for (size_t i = 0; i < c->n_terminal_groups; i++)
        if (!*c->terminal_groups[i])
            doc_error(d, doc_find(d, node, "groups"), N_("“%s” must not be empty"), "groups");
    return 0;
}

static const struct doc_schema terminal_schema = {
    .what = N_("the terminal"), .fields = terminal_fields, .n = ELEMENTS(terminal_fields), .end = check_terminal};

static const struct doc_field fields[] = {
    {.key = "format", .type = DOC_FORMAT, .required = true, .constant = "kuraban-config/1"},
    {.key = "run-directory",
     .type = DOC_STRING,
     .maximum = CONFIG_PATH_MAX,
     DOC_AT(struct config, run_directory),
     .text = N_("control socket and what udev reads; gone after a boot")},
    {.key = "state-directory",
     .type = DOC_STRING,
     .maximum = CONFIG_PATH_MAX,
     DOC_AT(struct config, state_directory),
     .text = N_("journal and keys")},
    {.key = "policy",
     .type = DOC_STRING,
     .maximum = CONFIG_PATH_MAX,
     DOC_AT(struct config, policy),
     .text = N_("file with the policy")},
    {.key = "usb", .type = DOC_ENUM, .choices = switches, DOC_AT(struct config, usb), .text = N_("guard USB devices")},
    {.key = "media",
     .type = DOC_ENUM,
     .choices = media,
     DOC_AT(struct config, media),
     .text = N_("guard removable media, or only those in exits")},
    {.key = "exits",
     .type = DOC_STRINGS,
     .maximum = CONFIG_EXITS_MAX,
     DOC_AT(struct config, exits),
     DOC_COUNT_AT(struct config, n_exits),
     .text = N_("device nodes that count as removable media in any case")},
    {.key = "journald",
     .type = DOC_ENUM,
     .choices = switches,
     DOC_AT(struct config, journald),
     .text = N_("mirror the journal to systemd-journald")},
    {.key = "keeper",
     .type = DOC_ENUM,
     .choices = keepers,
     DOC_AT(struct config, keeper),
     .text = N_("second process that holds the gate while kuraband is down")},
    {.key = "self-test-seconds",
     .type = DOC_UNSIGNED,
     .minimum = 5,
     .maximum = 3600,
     DOC_AT(struct config, self_test_seconds),
     .text = N_("how often the gate proves that it holds")},
    {.key = "workers",
     .type = DOC_UNSIGNED,
     .minimum = 1,
     .maximum = 64,
     DOC_AT(struct config, workers),
     .text = N_("threads of the gate")},
    {.key = "medium-patience-seconds",
     .type = DOC_UNSIGNED,
     .minimum = 5,
     .maximum = 3600,
     DOC_AT(struct config, medium_patience_seconds),
     .text = N_("how long a medium that files are exported to may do nothing")},
    {.key = "courier-user",
     .type = DOC_STRING,
     .maximum = CONFIG_NAME_MAX,
     DOC_AT(struct config, courier_user),
     .text = N_("who carries between this terminal and its centre")},
    {.key = "terminal",
     .type = DOC_MAP,
     .schema = &terminal_schema,
     .text = N_("who this terminal is: compared with the scope of a policy")},
};

/* A path that the guard acts on must mean the same from every directory and must not climb. */
static bool is_absolute(const char *path)
{
    size_t n = strlen(path);

    return path[0] == '/' && path[1] != 0 && !strstr(path, "/../") && !(n >= 3 && strcmp(path + n - 3, "/..") == 0);
}

static void check_path(struct doc *d, const struct yaml_node_s *node, const char *key)
{
    const struct yaml_node_s *value = doc_find(d, node, key);
    const char *text = value ? doc_text(value) : NULL;

    if (text && !is_absolute(text))
        doc_error(d, value, N_("“%s” must be an absolute path without “..”"), key);
}

static void check_exit(struct doc *d, const struct yaml_node_s *node)
{
    const char *text = doc_text(node);

    if (text && (strncmp(text, "/dev/", 5) != 0 || !is_absolute(text)))
        doc_error(d, node, N_("an exit is a device node below /dev"));
}

static int check_paths(struct doc *d, const struct yaml_node_s *node, void *object)
{
    static const char *const paths[] = {"run-directory", "state-directory", "policy"};
    const struct yaml_node_s *exits = doc_find(d, node, "exits");

    (void)object;
    for (size_t i = 0; i < ELEMENTS(paths); i++)
        check_path(d, node, paths[i]);
    if (!exits)
        return 0;
    if (doc_kind(exits) == DOC_IS_SCALAR)
        check_exit(d, exits);
    for (size_t i = 0; i < doc_count(exits) && doc_kind(exits) == DOC_IS_LIST; i++)
        check_exit(d, doc_item(d, exits, i));
    return 0;
}

static const struct doc_schema schema = {
    .what = N_("the configuration"), .fields = fields, .n = ELEMENTS(fields), .end = check_paths};

struct config *config_free(struct config *c)
{
    if (!c)
        return NULL;
    doc_clear(&schema, c);
    free(c->journal_directory);
    free(c);
    return NULL;
}

DEFINE_CLEANUP(struct config *, config_free);
DEFINE_CLEANUP(struct doc *, doc_free);

static struct config *config_new(void)
{
    struct config *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->usb = CONFIG_ON;
    c->media = CONFIG_MEDIA_ON;
    c->journald = CONFIG_ON;
    c->keeper = CONFIG_AUTO;
    c->self_test_seconds = DEFAULT_SELF_TEST_SECONDS;
    c->workers = DEFAULT_WORKERS;
    c->medium_patience_seconds = DEFAULT_MEDIUM_PATIENCE_SECONDS;
    return c;
}

static int set_default(char **field, const char *value)
{
    if (!*field)
        *field = strdup(value);
    return *field ? 0 : -ENOMEM;
}

static int fill_paths(struct config *c)
{
    if (set_default(&c->run_directory, DEFAULT_RUN_DIRECTORY) < 0 ||
        set_default(&c->state_directory, DEFAULT_STATE_DIRECTORY) < 0 || set_default(&c->policy, DEFAULT_POLICY) < 0 ||
        set_default(&c->courier_user, DEFAULT_COURIER) < 0)
        return -ENOMEM;
    if (asprintf(&c->journal_directory, "%s/journal", c->state_directory) < 0) {
        c->journal_directory = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int load_document(struct config *c, const void *bytes, size_t size, struct policy_findings *findings)
{
    static const struct doc_limits limits = {.size = CONFIG_SIZE_MAX, .depth = DEPTH_MAX, .nodes = NODES_MAX};
    _cleanup_(doc_freep) struct doc *doc = NULL;
    int r = doc_parse(bytes, size, &limits, findings, &doc);

    if (r == 0)
        r = doc_load(doc, doc_root(doc), &schema, c);
    if (r < 0)
        return r;
    return r == 0 && findings->n_errors == 0 ? 0 : CONFIG_E_INVALID;
}

int config_parse(const void *bytes, size_t size, struct policy_findings *findings, struct config **ret)
{
    _cleanup_(config_freep) struct config *c = config_new();
    int r;

    if (!c)
        return -ENOMEM;
    r = load_document(c, bytes, size, findings);
    if (r == 0)
        r = fill_paths(c);
    if (r == 0)
        *ret = TAKE_PTR(c);
    return r;
}

static int config_defaults(struct config **ret)
{
    _cleanup_(config_freep) struct config *c = config_new();

    if (!c || fill_paths(c) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(c);
    return 0;
}

int config_load(const char *path, struct policy_findings *findings, struct config **ret)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = files_read_at(AT_FDCWD, path ? path : CONFIG_DEFAULT_PATH, CONFIG_SIZE_MAX, &bytes, &size);

    if (r == -ENOENT && !path)
        return config_defaults(ret);
    return r < 0 ? r : config_parse(bytes, size, findings, ret);
}

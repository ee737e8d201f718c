#pragma once

#include <stdbool.h>
#include <stddef.h>

struct policy_findings;

/*
 * kuraban-config/1: where kuraband lives and which of its parts run. Both kuraband and kuraban read it. Keys, defaults and
 * examples: kuraband(8). The roots of sysfs, proc and dev are not configurable: a file must not be able to point the guard
 * at another tree.
 */

enum config_switch {
    CONFIG_OFF = 0,
    CONFIG_ON,
    CONFIG_AUTO, /* keeper only: on where systemd does not keep file descriptors */
};

enum config_media {
    CONFIG_MEDIA_OFF = 0,
    CONFIG_MEDIA_LISTED, /* only the nodes in exits */
    CONFIG_MEDIA_ON,     /* every hot-plugged or removable block device, and exits */
};

struct config {
    char *run_directory, *state_directory;
    char *policy;            /* file */
    char *journal_directory; /* state_directory/journal */
    enum config_switch usb, journald, keeper;
    enum config_media media;
    char **exits; /* device nodes that count as exits whatever the kernel says */
    size_t n_exits;
    unsigned self_test_seconds;       /* how often the gate proves itself; 5–3600, default 60 */
    unsigned workers;                 /* of the gate; 1–64, default 4 */
    unsigned medium_patience_seconds; /* in which a medium that is exported to does something; 5–3600, default 60 */
    char *terminal_id;                /* its name in the organization's policies; NULL: none was given */
    char **terminal_groups;           /* what it belongs to there */
    size_t n_terminal_groups;
    char *courier_user; /* whom kuraban-courier runs as */
};

enum {
    CONFIG_E_INVALID = 1, /* findings tell where */
    CONFIG_SIZE_MAX = 64 * 1024,
    CONFIG_EXITS_MAX = 64,
    CONFIG_GROUPS_MAX = 64,
    CONFIG_NAME_MAX = 255, /* bytes of a terminal's or group's name */
};

#define CONFIG_DEFAULT_PATH KURABAN_CONFIG_DIR "/kuraban.yaml"

/* path NULL: the default file, and defaults where it does not exist; a path that is given must exist. The file must be
 * regular and no link. 0, CONFIG_E_INVALID with findings, or -errno. Caller frees with config_free(). */
int config_load(const char *path, struct policy_findings *findings, struct config **ret);
/* The same from memory. findings starts as {0} and is the caller's to finish. */
int config_parse(const void *bytes, size_t size, struct policy_findings *findings, struct config **ret);
struct config *config_free(struct config *c);

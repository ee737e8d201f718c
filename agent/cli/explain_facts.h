#pragma once

#include "cli/cli.h"
#include "cli/evaluate.h"
#include "cli/explain.h"
#include "kern/mount.h"

struct present;
struct present_media;

/* The options of policy explain, in the order of its table. */
enum explain_option {
    EXPLAIN_DEVICE,
    EXPLAIN_SERIAL,
    EXPLAIN_INTERFACE,
    EXPLAIN_NAME,
    EXPLAIN_PORT,
    EXPLAIN_CONNECT_TYPE,
    EXPLAIN_HASH,
    EXPLAIN_PARENT_HASH,
    EXPLAIN_BUS,
    EXPLAIN_NODE,
    EXPLAIN_FILESYSTEM,
    EXPLAIN_LABEL,
    EXPLAIN_UUID,
    EXPLAIN_CAPACITY,
    EXPLAIN_LUKS,
    EXPLAIN_PATH,
    EXPLAIN_PROGRAM,
    EXPLAIN_WRITE,
    EXPLAIN_EXECUTE,
    EXPLAIN_EXPORT,
    EXPLAIN_SIZE,
    EXPLAIN_UNLOCKED,
    EXPLAIN_USER,
    EXPLAIN_GROUPS,
    EXPLAIN_AT,
    EXPLAIN_POLICY,
    EXPLAIN_OPTION_COUNT_,
};
enum {
    EXPLAIN_GROUPS_MAX = 64,
    EXPLAIN_APPROVERS_MAX = 3,
};

/* What is asked about. Without any of has_…: a file that is not guarded. Starts as {0}. */
struct explain_facts {
    struct evaluate_facts facts;
    char device[256]; /* id of what was found, or as it was described; "" for a file of a store */
    bool by_name;     /* files that are not there were compared by their paths */
    /* behind facts */
    struct decide_interface interfaces[EXPLAIN_INTERFACES_MAX];
    char *interface_list;
    struct present *present;
    struct present_media *media;
    struct mount_table mounts;
    struct decide_person approvers[EXPLAIN_APPROVERS_MAX];
};
void explain_facts_done(struct explain_facts *f);

/* Do the options make sense together? Says why not. */
enum cli_exit explain_facts_usage(struct cli *c, const struct cli_arguments *a);
/* Looks at devices, media and files where the options name real ones. Says what failed. */
enum cli_exit explain_facts_gather(struct cli *c, const struct cli_arguments *a, struct policy *policy,
                                   const struct explain_person *who, const struct decide_time *now,
                                   struct explain_facts *ret);

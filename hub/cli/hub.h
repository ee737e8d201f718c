#pragma once

#include "cli/cli.h"
#include "hub/centre/centre.h"

extern const struct cli_program hub_program;

#define HUB_DIRECTORY "/var/lib/kuraban-hub/centre"

enum cli_exit hub_cli_init(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_group_create(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_group_list(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_token_create(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_token_list(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_token_revoke(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_terminals(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_terminals_approve(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_terminals_revoke(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_root_add(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_root_list(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_policy_add(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_policy_list(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_policy_show(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_rollout_start(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_rollout_status(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_rollout_halt(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_rollout_resume(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_rollout_continue(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_terminals_move(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_order_report(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_order_end_grants(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_emergency(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_journal(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_serve(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_events(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_alarms(struct cli *c, const struct cli_arguments *a);
enum cli_exit hub_cli_alarm_close(struct cli *c, const struct cli_arguments *a);

extern const struct cli_option hub_init_options[], hub_token_create_options[], hub_serve_options[],
    hub_events_options[], hub_alarms_options[];
extern const struct cli_option hub_init_options[], hub_token_create_options[], hub_serve_options[];
extern const struct cli_option hub_rollout_start_options[], hub_rollout_group_options[], hub_rollout_status_options[],
    hub_emergency_options[], hub_terminals_move_options[];

/* Where the centre is: --directory, or the usual place. */
const char *hub_place(const struct cli *c);
/* Who asks: the person who logged in, also behind sudo(8), and the clock. Lives until cli_forget(). */
struct hub_actor hub_actor_of(struct cli *c);
/* On failure it has told why. centre_close() is the caller's. */
enum cli_exit hub_open(struct cli *c, struct centre *ret);
/* Tells an error of the store or of making a centre; returns the exit code. */
enum cli_exit hub_failed(struct cli *c, int error);

struct json_t;
/* RFC 3339, or JSON's null for 0. */
struct json_t *hub_json_time(int64_t wall_us);
/* The array under "items" of an answer that each() fills; on failure it has told why. */
enum cli_exit hub_show_list(struct cli *c, int r, struct json_t *items, cli_text *text);

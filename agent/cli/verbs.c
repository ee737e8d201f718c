/* Owns: the table of verbs; kuraban(1) and the completion follow it. */
#include "cli/cli.h"
#include "cli/i18n.h"

const struct cli_verb cli_verbs[] = {
    {"status", "", 0, 0, N_("what is guarded, and by which policy"), NULL, cli_status},
    {"devices", "", 0, 0, N_("devices and media that are there, and what was decided"), cli_devices_options,
     cli_devices},
    {"why", "", 0, 0, N_("why the last thing was refused, and what to do"), cli_why_options, cli_why},
    {"policy check", "FILE", 1, 1, N_("find the errors in a policy file"), NULL, cli_policy_check},
    {"policy explain", "", 0, 0, N_("which rule decides, and why the others do not"), cli_policy_explain_options,
     cli_policy_explain},
    {"policy generate", "", 0, 0, N_("write a policy that keeps the devices of this machine"), NULL,
     cli_policy_generate},
    {"policy show", "", 0, 0, N_("the policy in force (root)"), NULL, cli_policy_show},
    {"audit verify", "", 0, 0, N_("is the journal whole? (root)"), cli_audit_verify_options, cli_audit_verify},
    {"audit show", "", 0, 0, N_("records of the journal (root)"), cli_audit_show_options, cli_audit_show},
    {"audit export", "", 0, 0, N_("copy the journal out as NDJSON or CSV (root)"), cli_audit_export_options,
     cli_audit_export},
    {"doctor", "", 0, 0, N_("what is enforcing, what is not, what would lock you out"), NULL, cli_doctor},
    {"sync", "", 0, 0, N_("bring everything seen so far to the journal (root)"), NULL, cli_sync},
    {"rescan", "", 0, 0, N_("look at all devices and mounts again (root)"), NULL, cli_rescan},
    {"reload", "", 0, 0, N_("read the policy file again (root)"), NULL, cli_reload},
    {"emergency", "", 0, 0, N_("permit keyboards and mice for a while; this is recorded (root)"), cli_emergency_options,
     cli_emergency},
    {"purge", "", 0, 0, N_("put the kernel's settings back and end kuraband (root)"), cli_purge_options, cli_purge},
    {0},
};

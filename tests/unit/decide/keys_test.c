/*
 * No key of the policy is accepted and ignored. The tables that read the document are walked, and for each key and each word it can hold
 * there is a row here: either `check` refuses it as not yet enforced, or a document with it decides something otherwise than the
 * document without, or the row names the test of the part that carries it out, which must exist. A new key without a row fails.
 */
#include "test.h"

#include <stdlib.h>

#include "policy/load.h"
#include "policy/scope.h"
#include "unit/decide/fixture.h"

struct row {
    const char *path;    /* "usb.match.port", "usb.match.port|via-port", "usb.allow=read" */
    const char *with;    /* the key is there; NULL: another part carries it out */
    const char *without; /* it is not; LATER: refused; for with NULL "file: function" below tests/ */
};

#define LATER "refused"
#define TEN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Documents as pairs: the key is there, and is not. */
#define USB(text) "usb: [{id: a, " text "}]\n"
#define MATCH(text) USB("allow: use, match: {" text "}"), USB("allow: use")
#define MEDIUM(text) USB("allow: read, medium: {" text "}"), USB("allow: read")
#define RULE(text) "media: {rules: [{id: m, " text "}]}\n"
#define SELECT(text) RULE("allow: read, match: {" text "}"), RULE("allow: read")
#define DEMAND(text) RULE("allow: read, medium: {" text "}"), RULE("allow: read")
#define CLASS(key) "media: {" key ": read}\n", "media: {" key ": refuse}\n"
#define STORE(text) "stores: [{id: s, path: /srv/s, programs: [{path: /opt/p}]" text "}]\n"
#define CONDITIONS(path_, rule, allow)                                                                                 \
    {path_ "who", rule(allow ", who: {users: [tanaka]}"), rule(allow)},                                                \
        {path_ "who.users", rule(allow ", who: {users: [tanaka]}"), rule(allow ", who: {users: [sato]}")},             \
        {path_ "who.groups", rule(allow ", who: {groups: [kazei]}"), rule(allow ", who: {groups: [jumin]}")},          \
        {path_ "when", rule(allow ", when: {days: sun}"), rule(allow)},                                                \
        {path_ "when.days", rule(allow ", when: {days: mon}"), rule(allow ", when: {days: sun}")},                     \
        {path_ "when.from", rule(allow ", when: {from: \"08:00\", to: \"24:00\"}"),                                    \
         rule(allow ", when: {from: \"11:00\", to: \"24:00\"}")},                                                      \
    {                                                                                                                  \
        path_ "when.to", rule(allow ", when: {from: \"08:00\", to: \"24:00\"}"),                                       \
            rule(allow ", when: {from: \"08:00\", to: \"09:00\"}")                                                     \
    }

/* What somebody must show for a grant, and how long it is, is asked of the rule by agent/grant. */
#define UNLOCK(path_, rule)                                                                                            \
    {path_ "unlock", rule("allow: read, unlock: {}"), rule("allow: read")},                                            \
        {path_ "unlock.factors", NULL, "unit/decide/export_test.c: test_unlocking"},                                   \
        {path_ "unlock.factors=totp", NULL, "unit/decide/export_test.c: test_unlocking"},                              \
        {path_ "unlock.approvals", NULL, "unit/decide/export_test.c: test_unlocking"},                                 \
        {path_ "unlock.approvers", NULL, "unit/decide/export_test.c: test_unlocking"},                                 \
        {path_ "unlock.approvers.users", NULL, "unit/decide/export_test.c: test_unlocking"},                           \
        {path_ "unlock.approvers.groups", NULL, "unit/decide/export_test.c: test_unlocking"},                          \
    {                                                                                                                  \
        path_ "unlock.for", NULL, GRANT_TEST                                                                           \
    }
#define GRANT_TEST "unit/grant/grant_test.c: test_lengths"
#define MFA(words) NULL, "component/daemon_mfa_keys_test.sh: " words
#define TAKEN(words) NULL, "component/daemon_export_test.sh: " words

/* Taking out to rule a, from the store s; "" is the rule without anything else. */
#define EXPORT_OF(keys) EXPORT_AS("e", keys)
#define EXPORT_AS(id, keys)                                                                                            \
    "usb: [{id: a, allow: export}]\nstores: [{id: s, path: /srv/s, class: 2, programs: [{path: /opt/p}]}]\n"           \
    "export: [{id: " id ", " keys "}]\n"
#define EXPORT(text) EXPORT_OF("to: [a], from: [s], factors: none, approvals: 0" text)
#define WITH(text) EXPORT(", " text), EXPORT("")
#define EXPORT_RULE(text) EXPORT(text)

static const struct row rows[] = {
    {"format", NULL, "unit/policy/golden_test.c: test_bad_documents"},
    {"organization", NULL, "unit/trust/apply_test.c: test_every_attack_is_refused_for_its_own_reason"},
    {"name", NULL, "unit/daemon/recorder_test.c: test_policy_of_the_records"},
    {"version", NULL, "unit/trust/apply_test.c: test_every_attack_is_refused_for_its_own_reason"},
    {"scope", "scope: {terminals: [t1]}\n", ""},
    {"scope.groups", "scope: {groups: [g1]}\n", "scope: {groups: [g2]}\n"},
    {"scope.terminals", "scope: {terminals: [t1]}\n", "scope: {terminals: [t2]}\n"},
    {"valid", NULL, "unit/daemon/rulebook_test.c: test_not_valid_yet"},
    {"valid.from", NULL, "unit/daemon/rulebook_test.c: test_not_valid_yet"},
    {"valid.until", NULL, "unit/trust/apply_test.c: test_every_attack_is_refused_for_its_own_reason"},
    {"zone", "zone: lgwan\n", ""},
    {"zone=mynumber", "zone: mynumber\n", "zone: lgwan\n"},
    {"zone=lgwan", "zone: lgwan\n", "zone: internet\n"},
    {"zone=internet", "zone: internet\n", "zone: mynumber\n"},
    {"mode", "mode: monitor\n", ""},
    {"mode=enforce", "mode: enforce\n", "mode: monitor\n"},
    {"mode=monitor", "mode: monitor\n", "mode: enforce\n"},

    {"usb", USB("allow: use"), ""},
    {"usb.id", "usb: [{id: a, allow: use}]\n", "usb: [{id: b, allow: use}]\n"},
    {"usb.name", NULL, "unit/cli/explain_office_test.c: test_earlier_rules"},
    CONDITIONS("usb.", USB, "allow: use"),
    {"usb.monitor", USB("refuse: true, monitor: true"), USB("refuse: true")},
    {"usb.until", USB("allow: use, until: 2026-11-22"), USB("allow: use")},
    UNLOCK("usb.", USB),
    {"usb.match", MATCH("serial: X")},
    {"usb.match.device", MATCH("device: \"0781:5584\"")},
    {"usb.match.serial", MATCH("serial: X")},
    {"usb.match.name", MATCH("name: X")},
    {"usb.match.hash", MATCH("hash: " HASH_B)},
    {"usb.match.parent-hash", MATCH("parent-hash: " HASH_A)},
    {"usb.match.usbguard-hash", MATCH("usbguard-hash: X")},
    {"usb.match.usbguard-parent-hash", MATCH("usbguard-parent-hash: X")},
    {"usb.match.port", MATCH("port: 1-3")},
    {"usb.match.port|via-port", MATCH("via-port: 1-3")},
    {"usb.match.connect-type", MATCH("connect-type: hardwired")},
    {"usb.match.connect-type|connect", MATCH("connect: hardwired")},
    {"usb.match.connect-type=hardwired", MATCH("connect-type: hardwired")},
    {"usb.match.connect-type=hotplug", MATCH("connect-type: hotplug")},
    {"usb.match.connect-type=not used", MATCH("connect-type: not used")},
    {"usb.match.connect-type=unknown", MATCH("connect-type: unknown")},
    {"usb.match.connect-type=", MATCH("connect-type: \"\"")},
    {"usb.match.interfaces", MATCH("interfaces: \"03:01:01\"")},
    {"usb.match.interfaces|with-interface", MATCH("with-interface: \"03:01:01\"")},
    {"usb.interfaces", USB("allow: use, interfaces: \"03:01:01\""), USB("allow: use")},
    {"usb.connect-type", USB("allow: use, connect-type: hardwired"), USB("allow: use")},
    {"usb.connect-type|connect", USB("allow: use, connect: hardwired"), USB("allow: use")},
    {"usb.connect-type=hardwired", USB("allow: use, connect: hardwired"), USB("allow: use")},
    {"usb.connect-type=hotplug", USB("allow: use, connect: hotplug"), USB("allow: use")},
    {"usb.connect-type=not used", USB("allow: use, connect: not used"), USB("allow: use")},
    {"usb.connect-type=unknown", USB("allow: use, connect: unknown"), USB("allow: use")},
    {"usb.connect-type=", USB("allow: use, connect: \"\""), USB("allow: use")},
    {"usb.medium", MEDIUM("luks-only: true")},
    {"usb.medium.filesystem", MEDIUM("filesystem: ntfs")},
    {"usb.medium.luks-only", MEDIUM("luks-only: true")},
    {"usb.medium.capacity-max", MEDIUM("capacity-max: 8G")},
    {"usb.medium.label", MEDIUM("label: X")},
    {"usb.medium.uuid", MEDIUM("uuid: X")},
    {"usb.allow", USB("allow: use"), USB("refuse: true")},
    {"usb.allow=refuse", USB("allow: refuse"), USB("allow: use")},
    {"usb.allow=read", USB("allow: read"), USB("allow: use")},
    {"usb.allow=use", USB("allow: use"), USB("allow: read")},
    {"usb.allow=export", USB("allow: export"), USB("allow: read")},
    {"usb.allow.what", USB("allow: {what: read}"), USB("allow: {what: use}")},
    {"usb.allow.what=refuse", USB("allow: {what: refuse}"), USB("allow: {what: use}")},
    {"usb.allow.what=read", USB("allow: {what: read}"), USB("allow: {what: use}")},
    {"usb.allow.what=use", USB("allow: {what: use}"), USB("allow: {what: read}")},
    {"usb.allow.what=export", USB("allow: {what: export}"), USB("allow: {what: read}")},
    {"usb.allow.interfaces", USB("allow: {what: use, interfaces: \"03:01:01\"}"), USB("allow: use")},
    {"usb.refuse", "usb: [{id: a, refuse: true, match: {serial: \"4C53\"}}, {id: b, allow: use}]\n",
     "usb: [{id: b, allow: use}]\n"},
    {"usb.remove", NULL, "unit/device/usb_decide_test.c: refused_device_is_removed_on_demand"},
    {"usb.unique", USB("allow: use, unique: refuse"), USB("allow: use")},
    {"usb.unique=ignore", USB("allow: use, match: {serial: \"4C53\"}, unique: ignore"),
     USB("allow: use, match: {serial: \"4C53\"}")},
    {"usb.unique=refuse", USB("allow: use, unique: refuse"), USB("allow: use, unique: ignore")},
    {"usb.unique=port", USB("allow: use, match: {serial: \"4C53\", port: 1-2}, unique: port"),
     USB("allow: use, match: {serial: \"4C53\", port: 1-2}")},

    {"media", "media: {optical: read}\n", ""},
    {"media.rules", RULE("allow: read"), ""},
    {"media.rules.id", "media: {rules: [{id: m, allow: read}]}\n", "media: {rules: [{id: n, allow: read}]}\n"},
    {"media.rules.name", NULL, "unit/cli/explain_office_test.c: test_earlier_rules"},
    CONDITIONS("media.rules.", RULE, "allow: read"),
    {"media.rules.monitor", RULE("refuse: true, monitor: true"), RULE("refuse: true")},
    {"media.rules.until", RULE("allow: read, until: 2026-11-22"), RULE("allow: read")},
    UNLOCK("media.rules.", RULE),
    {"media.rules.match", SELECT("bus: mmc")},
    {"media.rules.match.bus", SELECT("bus: mmc")},
    {"media.rules.match.bus=usb", SELECT("bus: usb")},
    {"media.rules.match.bus=mmc", SELECT("bus: mmc")},
    {"media.rules.match.bus=optical", SELECT("bus: optical")},
    {"media.rules.match.bus=firewire", SELECT("bus: firewire")},
    {"media.rules.match.bus=thunderbolt", SELECT("bus: thunderbolt")},
    {"media.rules.match.bus=loop", SELECT("bus: loop")},
    {"media.rules.match.bus=other", SELECT("bus: other")},
    {"media.rules.match.path", SELECT("path: /dev/sr*")},
    {"media.rules.match.serial", SELECT("serial: X")},
    {"media.rules.match.label", SELECT("label: X")},
    {"media.rules.match.uuid", SELECT("uuid: X")},
    {"media.rules.medium", DEMAND("luks-only: true")},
    {"media.rules.medium.filesystem", DEMAND("filesystem: ntfs")},
    {"media.rules.medium.luks-only", DEMAND("luks-only: true")},
    {"media.rules.medium.capacity-max", DEMAND("capacity-max: 8G")},
    {"media.rules.allow", RULE("allow: read"), RULE("refuse: true")},
    {"media.rules.allow=refuse", RULE("allow: refuse"), RULE("allow: read")},
    {"media.rules.allow=read", RULE("allow: read"), RULE("allow: refuse")},
    {"media.rules.allow=export", RULE("allow: export"), RULE("allow: read")},
    {"media.rules.refuse", RULE("refuse: true"), RULE("allow: read")},
    {"media.rules.exec", RULE("allow: read, exec: allow"), RULE("allow: read")},
    {"media.rules.exec=refuse", "media: {exec: allow, rules: [{id: m, allow: read, exec: refuse}]}\n",
     "media: {exec: allow, rules: [{id: m, allow: read}]}\n"},
    {"media.rules.exec=allow", RULE("allow: read, exec: allow"), RULE("allow: read, exec: refuse")},
#define CLASS_ROWS(key)                                                                                                \
    {"media." key, CLASS(key)},                                                                                        \
        {"media." key "=refuse", "zone: internet\nmedia: {" key ": refuse}\n", CLASS_READ(key)},                       \
    {                                                                                                                  \
        "media." key "=read", CLASS(key)                                                                               \
    }
#define CLASS_READ(key) "zone: internet\nmedia: {" key ": read}\n"
    CLASS_ROWS("optical"),
    CLASS_ROWS("sdcard"),
    CLASS_ROWS("firewire"),
    CLASS_ROWS("thunderbolt"),
    CLASS_ROWS("other"),
#define MOUNT_ROWS(key, source)                                                                                        \
    {"media." key, "media: {" key ": use}\n", ""},                                                                     \
        {"media." key "=refuse", "zone: internet\nmedia: {" key ": refuse}\n", "zone: internet\n"},                    \
        {"media." key "=use", "media: {" key ": use}\n", ""},                                                          \
        {"media." key ".default", "media: {" key ": {default: use}}\n", ""},                                           \
        {"media." key ".default=refuse", "zone: internet\nmedia: {" key ": {default: refuse}}\n", "zone: internet\n"}, \
        {"media." key ".default=use", "media: {" key ": {default: use}}\n", ""},                                       \
    {                                                                                                                  \
        "media." key ".allow", "media: {" key ": {allow: [\"" source "\"]}}\n", ""                                     \
    }
    MOUNT_ROWS("network", "srv:/*"),
    MOUNT_ROWS("fuse", "fuse.sshfs"),
    {"media.exec", "media: {optical: read, exec: allow}\n", "media: {optical: read}\n"},
    {"media.exec=refuse", "media: {optical: read, exec: refuse}\n", "media: {optical: read, exec: allow}\n"},
    {"media.exec=allow", "media: {optical: read, exec: allow}\n", "media: {optical: read}\n"},

    {"stores", STORE(""), ""},
    {"stores.id", STORE(""), "stores: [{id: t, path: /srv/s, programs: [{path: /opt/p}]}]\n"},
    {"stores.name", NULL, "unit/cli/explain_office_test.c: test_earlier_rules"},
    CONDITIONS("stores.", STORE, ""),
    {"stores.monitor", STORE(", monitor: true"), STORE("")},
    {"stores.path", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class=3A", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class=3B", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class=3C", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class=2", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.class=1", NULL, "component/store_test.c: test_only_the_permitted_program"},
    {"stores.programs", STORE(""), "stores: [{id: s, path: /srv/s}]\n"},
    {"stores.programs.path", NULL, "unit/gate/program_test.c: test_match"},
    {"stores.programs.sha256", "stores: [{id: s, path: /srv/s, programs: [{path: /opt/p, sha256: " TEN "}]}]\n",
     STORE("")},

    {"export", EXPORT(""), "usb: [{id: a, allow: export}]\n"},
    {"export.id", EXPORT(""), EXPORT_AS("f", "to: [a], from: [s], factors: none, approvals: 0")},
    {"export.name", NULL, "unit/cli/explain_export_test.c: test_questions"},
    CONDITIONS("export.", EXPORT_RULE, ""),
    {"export.monitor", WITH("when: {days: sun}, monitor: true")},
    {"export.until", WITH("until: 2026-11-22")},
    {"export.to", EXPORT(""), EXPORT_OF("to: [b], from: [s], factors: none, approvals: 0")},
    {"export.from", EXPORT(""), EXPORT_OF("to: [a], from: [elsewhere], factors: none, approvals: 0")},
    {"export.classes", EXPORT_OF("to: [a], classes: [2]"), EXPORT_OF("to: [a], classes: [1]")},
#define CLASS_OF(class_, other)                                                                                        \
    {                                                                                                                  \
        "export.classes=" class_, EXPORT_CLASS(class_, class_), EXPORT_CLASS(class_, other)                            \
    }
#define EXPORT_CLASS(of, named)                                                                                        \
    "usb: [{id: a, allow: export}]\nstores: [{id: s, path: /srv/s, class: \"" of "\"}]\n"                              \
    "export: [{id: e, to: [a], classes: [\"" named "\"]}]\n"
    CLASS_OF("3A", "3B"),
    CLASS_OF("3B", "3C"),
    CLASS_OF("3C", "2"),
    CLASS_OF("2", "1"),
    CLASS_OF("1", "3A"),
    {"export.factors", EXPORT_OF("to: [a], from: [s], approvals: 0, factors: totp"), EXPORT("")},
    {"export.factors=none", EXPORT(""), EXPORT_OF("to: [a], from: [s], approvals: 0")},
    {"export.factors=totp", EXPORT_OF("to: [a], from: [s], approvals: 0, factors: totp"), EXPORT("")},
    {"export.approvals", EXPORT_OF("to: [a], from: [s], factors: none, approvals: 1"), EXPORT("")},
#define APPROVERS(text) EXPORT_OF("to: [a], from: [s], factors: none, approvals: 1, approvers: {" text "}")
    {"export.approvers", APPROVERS("users: [sato]"), EXPORT_OF("to: [a], from: [s], factors: none, approvals: 1")},
    {"export.approvers.users", APPROVERS("users: [tanaka]"), APPROVERS("users: [sato]")},
    {"export.approvers.groups", APPROVERS("groups: [kazei]"), APPROVERS("groups: [jumin]")},
    {"export.container", TAKEN("container: ")},
    {"export.container=zip-aes256", TAKEN("container: zip-aes256")},
    {"export.container=luks", TAKEN("container: luks")},
    {"export.container=plain", TAKEN("container: plain")},
    {"export.content", WITH("content: {uninspectable: refuse}")},
    {"export.content.my-number", WITH("content: {my-number: {distinct-max: 0}}")},
    {"export.content.my-number.distinct-max", WITH("content: {my-number: {distinct-max: 5}}")},
    {"export.content.uninspectable", WITH("content: {uninspectable: refuse}")},
    {"export.content.uninspectable=refuse", WITH("content: {uninspectable: refuse}")},
    {"export.file-max", WITH("file-max: 999")},
    {"export.per-day", WITH("per-day: {files: 2}")},
    {"export.per-day.files", WITH("per-day: {files: 2}")},
    {"export.per-day.bytes", WITH("per-day: {bytes: 2999}")},

    {"mfa", MFA("mfa: {login: {}}")},
    {"mfa.login", MFA("mfa: {login: {}}")},
    {"mfa.login.services", MFA("services: [login, sshd]")},
    {"mfa.login.who", MFA("who: {users: [bin]}")},
    {"mfa.login.who.users", MFA("who: {users: [bin]}")},
    {"mfa.login.who.groups", MFA("who: {groups: [daemon]}")},
    {"mfa.login.factors", MFA("factors: $factors")},
    {"mfa.login.factors=password", MFA("[password, totp]")},
    {"mfa.login.factors=totp", MFA("[password, totp]")},
    {"mfa.login.grace", MFA("grace: 1s")},
    {"mfa.enrol", MFA("enrol: $enrol")},
    {"mfa.enrol=root", MFA("in root self first-login")},
    {"mfa.enrol=self", MFA("in root self first-login")},
    {"mfa.enrol=first-login", MFA("in root self first-login")},
    {"mfa.throttle", MFA("throttle: {failures: 3")},
    {"mfa.throttle.failures", MFA("failures: 3")},
    {"mfa.throttle.delay", MFA("delay: exponential")},
    {"mfa.throttle.delay=exponential", MFA("delay: exponential")},
    {"mfa.throttle.delay=none", MFA("delay: none")},
    {"mfa.throttle.lock", MFA("lock: $lock")},
    {"mfa.window", MFA("window: $window")},
    {"patterns", "patterns: {}\n", LATER},
    {"network", "network: {default: refuse}\n", LATER},
    {"audit", "audit: {when-full: refuse-all}\n", ""},
    {"audit.keep", NULL, "unit/audit/journal_test.c: test_retention_by_age"},
    {"audit.segment-size", NULL, "unit/daemon/recorder_test.c: test_policy_of_the_records"},
    {"audit.total-size", NULL, "unit/audit/journal_test.c: test_total_size"},
    {"audit.when-full", "audit: {when-full: refuse-all}\n", "audit: {when-full: refuse-export}\n"},
    {"audit.when-full=refuse-export", "audit: {when-full: refuse-export}\n", "audit: {when-full: refuse-all}\n"},
    {"audit.when-full=refuse-all", "audit: {when-full: refuse-all}\n", ""},
    {"audit.when-full=drop-oldest", NULL, "unit/audit/journal_test.c: test_total_size"},
};

/* --- What a policy says of everything there is in this test --- */

static const struct decide_interface interfaces[] = {
    {.class_ = 8, .subclass = 6, .protocol = 0x50}, {.class_ = 3, .subclass = 1, .protocol = 1}, {.class_ = 0xff}};

/* Monday morning, Monday night, Sunday, and the year after. */
static const struct decide_time times[] = {{INT64_C(1795395600000000), 0, 600},
                                           {INT64_C(1795395600000000), 0, 1400},
                                           {INT64_C(1795395600000000), 6, 600},
                                           {INT64_C(1827000000000000), 0, 600}};

/* What is done, not what is written beside it: .allow alone would be no effect. */
static void say(FILE *out, const char *what, const struct verdict *v)
{
    (void)fprintf(out, "%s %s/%s %s %s%s%s%s%s\n", what, verdict_kind_name(v->kind), verdict_kind_name(v->ruled),
                  v->rule, verdict_reason_name(v->reason), v->monitor ? " monitor" : "", v->exec ? " exec" : "",
                  v->medium_rule, v->allow == POLICY_EXPORT ? " target" : "");
}

static void say_usb(FILE *out, const struct policy *p, const struct decide_person *person, const struct decide_time *at)
{
    static const char *const connect_types[] = {"hotplug", "hardwired", "unknown"};

    for (unsigned i = 0; i < 6; i++) {
        const struct decide_usb_facts facts = {.vendor = 0x0781,
                                               .product = 0x5583,
                                               .serial = "4C53",
                                               .name = "Ultra",
                                               .port = "1-2",
                                               .connect_type = connect_types[i / 2],
                                               .hash = HASH_A,
                                               .parent_hash = HASH_B,
                                               .usbguard_hash = "h",
                                               .usbguard_parent_hash = "p",
                                               .interfaces = interfaces,
                                               .n_interfaces = 3,
                                               .duplicate = i % 2,
                                               .persons = person,
                                               .n_persons = person ? 1 : 0,
                                               .now = *at};
        struct verdict v = {0};

        decide_usb(p, &facts, &v);
        say(out, "usb", &v);
        for (unsigned k = 0; k < 3; k++)
            (void)fprintf(out, " %d", decide_usb_interface(p, &v, &interfaces[k]));
    }
}

static void say_media(FILE *out, const struct policy *p, const struct decide_person *person,
                      const struct decide_time *at)
{
    static const char *const buses[] = {"usb", "mmc", "optical", "firewire", "thunderbolt", "loop", "other"};

    for (unsigned i = 0; i < ELEMENTS(buses) + 1; i++) {
        bool on_usb = i == ELEMENTS(buses);
        const struct decide_medium_facts facts = {.bus = on_usb ? "usb" : buses[i],
                                                  .node = i == 2 ? "/dev/sr0" : "/dev/sdb1",
                                                  .filesystem = "vfat",
                                                  .label = "DATA",
                                                  .uuid = "1234",
                                                  .serial = "4C53",
                                                  .capacity = UINT64_C(16) << 30,
                                                  .usb_rule = on_usb ? "a" : NULL,
                                                  .persons = person,
                                                  .n_persons = person ? 1 : 0,
                                                  .now = *at};
        struct verdict v = {0};

        decide_medium(p, &facts, &v);
        say(out, facts.bus, &v);
    }
}

static void say_opens(FILE *out, const struct policy *p, const struct decide_person *person,
                      const struct decide_time *at)
{
    for (int i = 0; i < 4; i++) {
        struct decide_open_facts facts = {
            .kind = DECIDE_OBJECT_STORE,
            .subject = {.person = person ? *person : stranger, .exe_known = true, .program = i % 2 - 1},
            .journal_full = i > 1,
            .now = *at};
        struct verdict v = {0}, medium = {0};

        decide_open(p, &facts, &v);
        say(out, "store", &v);
        decide_medium(p, &(struct decide_medium_facts){.bus = "optical", .node = "/dev/sr0"}, &medium);
        medium.rule = "media.optical";
        medium.kind = medium.ruled = VERDICT_ALLOW;
        facts.kind = DECIDE_OBJECT_MEDIUM;
        facts.medium = &medium;
        decide_open(p, &facts, &v);
        say(out, "disc", &v);
    }
}

/* 1000 bytes, out of the store or from elsewhere, to rule a; a person or two approve. */
static void say_exports(FILE *out, const struct policy *p, const struct decide_person *person,
                        const struct decide_time *at)
{
    static const struct decide_person approvers[] = {
        {.uid = 1001}, {.uid = 1700, .gids = kazei_gids, .n_gids = 2}, {.uid = 1800}};

    for (unsigned i = 0; i < 12; i++) {
        const struct decide_export_facts facts = {.person = person ? *person : stranger,
                                                  .target = "a",
                                                  .store = i % 2 ? 0 : -1,
                                                  .size = 1000,
                                                  .day_files = 2,
                                                  .day_bytes = 2000,
                                                  .factors = i % 3 ? POLICY_FACTOR_TOTP : 0,
                                                  .approvers = &approvers[i / 4],
                                                  .n_approvers = i > 1,
                                                  .now = *at};
        struct verdict v = {0};

        decide_export(p, &facts, &v);
        say(out, "export", &v);
    }
}

static char *everything(const char *body)
{
    static const char *const groups[] = {"g1"};
    static const struct decide_person *const persons[] = {&tanaka, &member, &stranger, NULL};
    struct policy *p = resolved_policy_of(body);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct verdict v = {0};

    assert_non_null(out);
    (void)fprintf(out, "scope %d %d\n", policy_is_for(p, "t1", NULL, 0), policy_is_for(p, "t3", groups, 1));
    decide_mount(p, &(struct decide_mount_facts){.type = "nfs4", .source = "srv:/x"}, &v);
    say(out, "network", &v);
    decide_mount(p, &(struct decide_mount_facts){DECIDE_MOUNT_FUSE, "fuse.sshfs", "u@h:"}, &v);
    say(out, "fuse", &v);
    for (size_t i = 0; i < ELEMENTS(persons); i++)
        for (size_t k = 0; k < ELEMENTS(times); k++) {
            say_usb(out, p, persons[i], &times[k]);
            say_media(out, p, persons[i], &times[k]);
            say_opens(out, p, persons[i], &times[k]);
            say_exports(out, p, persons[i], &times[k]);
        }
    assert_int_equal(fclose(out), 0);
    (void)policy_unref(p);
    return text;
}

/* --- The rows --- */

static void check_effect(const struct row *r)
{
    char *with = everything(r->with), *without = everything(r->without);

    if (strcmp(with, without) == 0)
        fail_msg("%s: nothing is decided otherwise with it", r->path);
    free(with);
    free(without);
}

static void check_refused(const struct row *r)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    char text[512];

    (void)snprintf(text, sizeof(text), "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n%s", r->with);
    assert_int_equal(policy_load("t", (const uint8_t *)text, strlen(text), &findings, &p), POLICY_E_INVALID);
    assert_int_equal(findings.n_errors, 1);
    if (!strstr(findings.items[0].message, "is not yet enforced by this version"))
        fail_msg("%s: %s", r->path, findings.items[0].message);
    policy_findings_done(&findings);
}

/* The test that the row names is in that file, and is run; of a script, the words. */
static void check_named(const struct row *r)
{
    const char *colon = strstr(r->without, ": ");
    char path[512], wanted[128], *text = calloc(1, 1U << 20);
    FILE *f;

    assert_non_null(colon);
    (void)snprintf(path, sizeof(path), "%s/tests/%.*s", getenv("KURABAN_SOURCE"), (int)(colon - r->without),
                   r->without);
    f = fopen(path, "re");
    if (!f || !text)
        fail_msg("%s: no %s", r->path, path);
    assert_true(fread(text, 1, (1U << 20) - 1, f) > 0);
    (void)fclose(f);
    (void)snprintf(wanted, sizeof(wanted), strstr(path, ".sh") ? "%s" : "static void %s(void **state)", colon + 2);
    if (!strstr(text, wanted))
        fail_msg("%s: %s has no %s", r->path, path, colon + 2);
    (void)snprintf(wanted, sizeof(wanted), strstr(path, ".sh") ? "%s" : "(%s", colon + 2);
    assert_non_null(strstr(text, wanted)); /* cmocka_unit_test(…) or one with setup */
    free(text);
}

static bool seen[ELEMENTS(rows)];

static void check_path(const char *path)
{
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        if (strcmp(rows[i].path, path) != 0)
            continue;
        seen[i] = true;
        if (!rows[i].with)
            check_named(&rows[i]);
        else if (strcmp(rows[i].without, LATER) == 0)
            check_refused(&rows[i]);
        else
            check_effect(&rows[i]);
        return;
    }
    fail_msg("the key %s is read, and nothing here shows that it does something", path);
}

static void walk(const struct doc_schema *schema, const char *above)
{
    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];
        char path[128], part[256];

        (void)snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", f->key);
        check_path(path);
        if (f->alias) {
            (void)snprintf(part, sizeof(part), "%s|%s", path, f->alias);
            check_path(part);
        }
        for (const struct doc_choice *c = f->choices; c && c->name; c++) {
            (void)snprintf(part, sizeof(part), "%s=%s", path, c->name);
            check_path(part);
        }
        if (f->schema)
            walk(f->schema, path);
    }
}

static void test_every_key_does_something(void **state)
{
    (void)state;
    walk(&load_policy_schema, "");
    for (size_t i = 0; i < ELEMENTS(rows); i++)
        if (!seen[i])
            fail_msg("no table has %s any more", rows[i].path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_key_does_something)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Owns: the checks that need no daemon. Each adds one line and changes nothing. */
#include "cli/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/check_present.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "cli/present.h"
#include "config/config.h"
#include "decide/decide.h"
#include "json/whole.h"

enum {
    CLASS_INPUT = 3,
    END_SOON_DAYS = 30,
};

void doctor_add(json_t **checks, const char *check, bool ok, const char *severity, const char *detail)
{
    _cleanup_free_ char *safe = text_make_printable(detail, strlen(detail));

    whole_add(checks, json_pack("{s:s, s:b, s:s, s:s, s:{}}", "check", check, "ok", (int)ok, "severity", severity,
                                "detail", safe ? safe : "", "values"));
}

void doctor_skip(json_t **checks, const char *check)
{
    doctor_add(checks, check, false, DOCTOR_SKIPPED, _("only root can look at this"));
}

/* --- the policy against this machine --- */

static bool would_refuse(const struct policy *policy, const struct usb_device *d)
{
    struct decide_usb_facts facts;
    struct verdict v = {0};

    usb_device_facts(d, &facts);
    decide_time_local(clock_wall_us(), &facts.now);
    decide_usb(policy, &facts, &v);
    return v.ruled != VERDICT_ALLOW;
}

static void add_device(json_t **checks, const char *check, const struct usb_device *d)
{
    char line[512];

    (void)snprintf(line, sizeof(line), "%s %04x:%04x %s", usb_device_port(d), usb_device_vendor(d),
                   usb_device_product(d), usb_device_name(d));
    doctor_add(checks, check, false, "warning", line);
}

/* Nothing is said where the machine does not run from USB. */
static void check_disks(json_t **checks, const struct policy *policy, const struct present *present)
{
    bool any = false, all = true;

    for (size_t i = 0; i < present_count(present); i++) {
        const struct usb_device *d = present_at(present, i);
        struct verdict v = {0};

        if (!present_carries_system(present, d))
            continue;
        any = true;
        if (check_system(policy, d, &v) == CHECK_SYSTEM_KEPT)
            continue;
        all = false;
        add_device(checks, "policy.system", d);
    }
    if (any && all)
        doctor_add(checks, "policy.system", true, "warning", "");
}

/* A device without an input interface is nobody's keyboard; one with any may be the only one. */
static void check_input(json_t **checks, const struct policy *policy, const struct present *present)
{
    bool all = true;

    for (size_t i = 0; i < present_count(present); i++) {
        const struct usb_device *d = present_at(present, i);

        if (!present_has_class(d, CLASS_INPUT) || !would_refuse(policy, d))
            continue;
        all = false;
        add_device(checks, "policy.input", d);
    }
    if (all)
        doctor_add(checks, "policy.input", true, "warning", "");
}

static void check_usb(struct cli *c, json_t **checks, struct policy *policy)
{
    struct present *present = NULL;

    if (c->config->usb == CONFIG_OFF)
        return;
    if (present_read(c, policy, &present) != CLI_OK) {
        doctor_add(checks, "policy.usb-readable", false, "warning", "");
        return;
    }
    check_disks(checks, policy, present);
    check_input(checks, policy, present);
    (void)present_free(present);
}

static void check_store(json_t **checks, const struct policy_store *store)
{
    _cleanup_free_ char *above = NULL;
    struct stat st, parent;
    char name[256];

    (void)snprintf(name, sizeof(name), "store.%s", store->id);
    if (stat(store->path, &st) < 0 && errno == EACCES) {
        doctor_skip(checks, name);
        return;
    }
    if (stat(store->path, &st) < 0) {
        doctor_add(checks, name, false, "warning", store->path);
        return;
    }
    (void)snprintf(name, sizeof(name), "store.%s.filesystem", store->id);
    if (asprintf(&above, "%s/..", store->path) < 0) {
        above = NULL;
        return;
    }
    doctor_add(checks, name, stat(above, &parent) == 0 && parent.st_dev != st.st_dev, "info", store->path);
}

static void check_end(json_t **checks, const struct policy *policy)
{
    char until[CLOCK_RFC3339_SIZE] = "";
    bool ends = policy->valid_until_us != 0;

    if (ends)
        clock_format_rfc3339(policy->valid_until_us, until);
    doctor_add(checks, "policy.expires-soon",
               !ends || policy->valid_until_us - clock_wall_us() > END_SOON_DAYS * 86400LL * 1000000LL, "warning",
               until);
}

void doctor_check_policy(struct cli *c, json_t **checks, bool alone)
{
    struct policy_findings findings = {.translate = i18n_translate};
    struct policy *policy = NULL;
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = policy_file_read(c->config->policy, &bytes, &size);

    /* Not root: the file is not everybody's to read, which is as it should be. */
    doctor_add(checks, "policy.readable", r == 0, r == -EACCES ? "info" : "error", r < 0 ? strerror(-r) : "");
    if (r == -EACCES) {
        doctor_skip(checks, "policy.valid");
        doctor_skip(checks, "policy.input");
        doctor_skip(checks, "policy.system");
    }
    if (r < 0)
        return;
    r = policy_load(c->config->policy, bytes, size, &findings, &policy);
    doctor_add(checks, "policy.valid", r == 0, "error", r != 0 && findings.n > 0 ? findings.items[0].message : "");
    if (r == 0) {
        check_usb(c, checks, policy);
        if (alone)
            check_end(checks, policy);
        for (size_t i = 0; i < policy->n_stores && alone; i++)
            check_store(checks, &policy->stores[i]);
    }
    (void)policy_unref(policy);
    policy_findings_done(&findings);
}

/* --- kernel and package --- */

static bool sysctl_is_zero(const char *path)
{
    _cleanup_free_ char *text = NULL;

    return files_read_text_at(AT_FDCWD, path, 32, &text) == 0 && text_equal(text, "0");
}

/* Permission events need CAP_SYS_ADMIN. */
static void check_fanotify(json_t **checks)
{
    int fd;

    if (geteuid() != 0) {
        doctor_skip(checks, "kernel.fanotify");
        return;
    }
    fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    doctor_add(checks, "kernel.fanotify",
               fd >= 0 && fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "/proc/self/exe") == 0, "error", "");
    close_fd(fd);
}

/* Only where the package is installed under systemd; a private instance has no unit. */
static void check_unit(json_t **checks)
{
    glob_t found = {0};

    if (access("/run/systemd/system", F_OK) < 0 || access("/lib/systemd/system/kuraband.service", F_OK) < 0)
        return;
    doctor_add(checks, "package.unit", glob("/etc/systemd/system/*.wants/kuraband.service", 0, NULL, &found) == 0,
               "error", "");
    globfree(&found);
}

void doctor_check_machine(json_t **checks)
{
    doctor_add(checks, "kernel.user-namespaces",
               sysctl_is_zero("/proc/sys/kernel/unprivileged_userns_clone") ||
                   sysctl_is_zero("/proc/sys/user/max_user_namespaces"),
               "warning", "");
    check_fanotify(checks);
    check_unit(checks);
}

/*
 * Owns: what is legal in the section `mfa`, or in asking for codes without it, but likely not meant.
 * Must not: look at the PAM configuration of a machine: `kuraban mfa lint` does.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"
#include "policy/warn.h"

enum {
    ANSWERS_ONCE = 1, /* its program asks a person once and answers every question of PAM with that (docs/LOGIN.md) */
};

/* Services that people log in, unlock a screen or change who they are by, as distributions call them. */
static const struct doc_choice services[] = {
    {"login", 0},
    {"remote", 0},
    {"su", 0},
    {"su-l", 0},
    {"sudo", 0},
    {"sudo-i", 0},
    {"doas", 0},
    {"runuser", 0},
    {"runuser-l", 0},
    {"sshd", 0},
    {"gdm-password", 0},
    {"gdm-fingerprint", 0},
    {"gdm-smartcard", 0},
    {"gdm-autologin", 0},
    {"gdm-launch-environment", 0},
    {"lightdm", 0},
    {"lightdm-greeter", 0},
    {"lightdm-autologin", 0},
    {"sddm", 0},
    {"sddm-greeter", 0},
    {"sddm-autologin", 0},
    {"xdm", 0},
    {"lxdm", 0},
    {"slim", 0},
    {"greetd", 0},
    {"kde", 0},
    {"kscreensaver", 0},
    {"kcheckpass", 0},
    {"xscreensaver", 0},
    {"xfce4-screensaver", 0},
    {"mate-screensaver", 0},
    {"cinnamon-screensaver", 0},
    {"light-locker", 0},
    {"i3lock", ANSWERS_ONCE},
    {"swaylock", ANSWERS_ONCE},
    {"swaylock-plugin", 0},
    {"waylock", 0},
    {"hyprlock", 0},
    {"slock", 0},
    {"xlock", 0},
    {"xsecurelock", 0},
    {"xtrlock", 0},
    {"vlock", 0},
    {"physlock", 0},
    {"polkit-1", 0},
    {"cockpit", 0},
    {"xrdp-sesman", 0},
    {"vncserver", 0},
    {"passwd", 0},
    {"chsh", 0},
    {"chfn", 0},
    {"other", 0},
    {NULL, 0},
};

static bool is_known(const char *service)
{
    for (const struct doc_choice *c = services; c->name; c++)
        if (text_equal(c->name, service))
            return true;
    return false;
}

const char *policy_answers_once(size_t n)
{
    for (const struct doc_choice *c = services; c->name; c++)
        if (c->value == ANSWERS_ONCE && n-- == 0)
            return c->name;
    return NULL;
}

static bool answers_once(const char *service)
{
    const char *name;

    for (size_t i = 0; (name = policy_answers_once(i)); i++)
        if (text_equal(name, service))
            return true;
    return false;
}

/* What a program says instead when it is to begin a whole login: a service of its own. */
static void check_twin(struct doc *d, const struct policy *p, const struct yaml_node_s *item)
{
    static const struct {
        const char *service, *twin, *command;
    } twins[] = {{"su", "su-l", "su -"}, {"sudo", "sudo-i", "sudo -i"}};

    for (size_t i = 0; i < ELEMENTS(twins); i++) {
        bool listed = !text_equal(doc_text(item), twins[i].service);

        for (size_t k = 0; k < p->mfa.services.n; k++)
            listed |= text_equal(p->mfa.services.items[k], twins[i].twin);
        if (listed)
            continue;
        doc_warning(d, item, N_("'%s' asks for no code: its service is '%s'"), twins[i].command, twins[i].twin);
        doc_hint(d, N_("add '%s'"), twins[i].twin);
    }
}

void load_check_services(struct doc *d, const struct policy *p)
{
    const struct yaml_node_s *mfa = doc_find(d, doc_root(d), "mfa");
    const struct yaml_node_s *login = mfa ? doc_find(d, mfa, "login") : NULL;
    const struct yaml_node_s *list = login ? doc_find(d, login, "services") : NULL;

    for (size_t i = 0; list && i < p->mfa.services.n; i++) {
        const struct yaml_node_s *item = doc_kind(list) == DOC_IS_LIST ? doc_item(d, list, i) : list;

        check_twin(d, p, item);
        if (answers_once(doc_text(item))) {
            doc_warning(d, item, POLICY_ANSWERS_ONCE, doc_text(item));
            doc_hint(d, POLICY_ANSWERS_ONCE_HINT);
        }
        if (is_known(doc_text(item)))
            continue;
        doc_warning(d, item, N_("'%s' is no PAM service that is known here"), doc_text(item));
        doc_hint_near(d, doc_text(item), services);
    }
}

/* The first rule that asks for a code. */
static const char *asks_for_code(const struct policy *p, struct policy_position *ret_at)
{
    for (size_t i = 0; i < p->n_usb; i++)
        if (p->usb[i].unlock.needed) {
            *ret_at = p->usb[i].at;
            return p->usb[i].id;
        }
    for (size_t i = 0; i < p->media.n_rules; i++)
        if (p->media.rules[i].unlock.needed) {
            *ret_at = p->media.rules[i].at;
            return p->media.rules[i].id;
        }
    for (size_t i = 0; i < p->n_export; i++)
        if (p->export[i].factors != 0 || p->export[i].approvals > 0) {
            *ret_at = p->export[i].at;
            return p->export[i].id;
        }
    return NULL;
}

/* Of a colleague's tries others may use up less than half, so that nobody locks a colleague out: of a single one that is none. */
static void warn_approval(const struct policy_mfa *mfa, const char *id, unsigned approvals, struct policy_position at,
                          struct policy_findings *findings)
{
    if (approvals == 0 || mfa->failures != 1)
        return;
    policy_findings_add(findings, POLICY_WARNING, at,
                        N_("nobody can approve what rule '%s' asks approval for: the first wrong code locks"), id);
    policy_findings_hint(findings, N_("'failures: 2' at least, in 'mfa: {throttle: …}'"));
}

static void warn_approvals(const struct policy *p, struct policy_findings *findings)
{
    for (size_t i = 0; i < p->n_usb; i++)
        warn_approval(&p->mfa, p->usb[i].id, p->usb[i].unlock.approvals, p->usb[i].at, findings);
    for (size_t i = 0; i < p->media.n_rules; i++)
        warn_approval(&p->mfa, p->media.rules[i].id, p->media.rules[i].unlock.approvals, p->media.rules[i].at,
                      findings);
    for (size_t i = 0; i < p->n_export; i++)
        warn_approval(&p->mfa, p->export[i].id, p->export[i].approvals, p->export[i].at, findings);
}

void policy_warn_mfa(const struct policy *p, struct policy_findings *findings)
{
    struct policy_position at = {0};
    const char *id = p->mfa.at.line == 0 ? asks_for_code(p, &at) : NULL;

    warn_approvals(p, findings);

    if (id) {
        policy_findings_add(findings, POLICY_WARNING, at,
                            N_("rule '%s' asks for codes, and the policy does not say who may get one"), id);
        policy_findings_hint(findings, N_("as it stands only root enrols people; say so: 'mfa: {enrol: root}'"));
    }
    if (p->mfa.login && p->mfa.grace_us == 0 && p->mfa.enrol == POLICY_ENROL_SELF) {
        policy_findings_add(findings, POLICY_WARNING, p->mfa.at,
                            N_("people without a code cannot log in to enrol themselves"));
        policy_findings_hint(findings, N_("give 'grace: 7d', or 'enrol: first-login'"));
    }
}

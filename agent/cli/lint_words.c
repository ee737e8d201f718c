/* Owns: what a finding of bypass/ means and what to do, in the person's language. Must not: judge. */
#include "cli/lint_words.h"

#include "cli/i18n.h"

static const struct {
    const char *means, *todo;
} words[BYPASS_KIND_COUNT_] = {
    [BYPASS_PAM_NONE] =
        {N_("%s lets people in without asking for a code"),
         N_("“pam-auth-update --enable kuraban” puts it into common-auth; a service that does not include that file "
            "needs the line “auth required pam_kuraban.so” at the end of its auth lines")},
    [BYPASS_PAM_SUFFICIENT] = {N_("%s: when this module says yes, the stack ends before the code is asked for"),
                               N_("remove the line, or make it “requisite” with pam_kuraban.so behind it")},
    [BYPASS_PAM_JUMP] = {N_("%s: when this module answers so, it jumps over pam_kuraban.so"),
                         N_("correct the number: count the modules below it, a substack as one")},
    [BYPASS_PAM_WEAK] = {N_("%s: a wrong code does not stop the login here"),
                         N_("write “auth required pam_kuraban.so”")},
    [BYPASS_PAM_UNCLEAR] = {N_("%s: this stack cannot be read or is too complicated to judge"),
                            N_("make it simpler; until then take it for open")},
    [BYPASS_PAM_ALONE] = {N_("%s: the code is enough here, the password is not needed as well"),
                          N_("write “auth required pam_kuraban.so” behind a “requisite” module for the password")},
    [BYPASS_PAM_GROUP] =
        {N_("whoever is in the group %s needs neither password nor code"),
         N_("empty the group (also as somebody's first group), or remove the line in /etc/pam.d that names it")},
    [BYPASS_SSHD_PAM] = {N_("sshd does not ask PAM at all"), N_("write “UsePAM yes”")},
    [BYPASS_SSHD_METHODS] =
        {N_("sshd lets in by %s alone; PAM is not asked for a code"),
         N_("write “AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam”, or turn "
            "the method off")},
    [BYPASS_SSHD_ROOT] = {N_("root can log in through the network without a code"), N_("write “PermitRootLogin no”")},
    [BYPASS_SSHD_KEYBOARD] = {N_("sshd cannot ask for a code: nobody gets in who needs one"),
                              N_("write “KbdInteractiveAuthentication yes”")},
    [BYPASS_SSHD_UNCLEAR] = {N_("not all of sshd's configuration could be read"), N_("look at “sshd -T” yourself")},
    [BYPASS_AUTOLOGIN_LIGHTDM] = {N_("LightDM logs %s in without asking anything"), N_("remove the line")},
    [BYPASS_AUTOLOGIN_GDM] = {N_("GDM logs %s in without asking anything"),
                              N_("set AutomaticLoginEnable and TimedLoginEnable to false")},
    [BYPASS_AUTOLOGIN_SDDM] = {N_("SDDM logs %s in without asking anything"), N_("remove the line")},
    [BYPASS_AUTOLOGIN_GETTY] = {N_("this console logs %s in without asking anything"), N_("remove --autologin")},
    [BYPASS_GUEST_LIGHTDM] = {N_("LightDM has a guest session that nobody is asked for"), N_("set it to false")},
    [BYPASS_SUDO] = {N_("sudo asks nothing here: who took over the session is root"),
                     N_("remove NOPASSWD or !authenticate; a service account that needs it should have no login")},
    [BYPASS_UNREADABLE] = {N_("this cannot be read: %s"), N_("run it as root; until then take it for open")},
    [BYPASS_POLICY_NONE] = {N_("policy asks nobody for a code at a login"),
                            N_("write the section “mfa: login:” (kuraban-policy(5))")},
    [BYPASS_NOTE_GROUP] = {N_("who comes into the group %s will need neither password nor code; nobody is in it now"),
                           N_("better remove the line")},
    [BYPASS_NOTE_SSHD] =
        {N_("sshd was not asked itself (“sshd -T”, root, this machine only); its files were read instead"), ""},
    [BYPASS_NOTE_PASSWORD] =
        {N_("clients that send the password by the method “password” cannot answer the question for a code; each try "
            "counts as a wrong code"),
         N_("write “PasswordAuthentication no”: keyboard-interactive asks for the password as well")},
    [BYPASS_NOTE_SERVICES] = {N_("policy asks nobody for a code at these services: %s"),
                              N_("name them in “mfa: login: services:”, or name none for all")},
    [BYPASS_NOTE_EARLY] =
        {N_("%s: the code is asked of people who have not given the right password: anybody can use up "
            "the tries of others and lock them out"),
         N_("make the password's module “requisite”, and put pam_kuraban.so behind it")},
    [BYPASS_NOTE_ONCE] =
        {N_("%s asks once and answers every question with that: who must give password and code cannot unlock the screen, and "
            "each try counts as a wrong code"),
         N_("leave it out of “mfa: login: services:”: the password unlocks it then; or give it a stack of “auth required "
            "pam_kuraban.so” alone: the code does then")},
    [BYPASS_NOTE_POLICY] = {N_("kuraband was not asked at which services policy wants a code"), ""},
};

static const char *const reasons[BYPASS_REASON_COUNT_] = {
    [BYPASS_REASON_JOBS] = N_("runs jobs of people who are not there"),
    [BYPASS_REASON_GREETER] = N_("draws the login screen, lets nobody in"),
    [BYPASS_REASON_AUTOLOGIN] = N_("used by autologin only, which is looked at itself"),
    [BYPASS_REASON_ROOT] = N_("only root can call it"),
};

const char *lint_means(enum bypass_kind kind)
{
    return kind > 0 && kind < BYPASS_KIND_COUNT_ ? _(words[kind].means) : "%s";
}

const char *lint_todo(enum bypass_kind kind)
{
    return kind > 0 && kind < BYPASS_KIND_COUNT_ && *words[kind].todo ? _(words[kind].todo) : "";
}

const char *lint_reason(enum bypass_reason reason)
{
    return reason > 0 && reason < BYPASS_REASON_COUNT_ ? _(reasons[reason]) : "";
}

#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * How this machine lets people in without pam_kuraban.so: its PAM stacks, sshd, display managers, consoles and sudo. Reads
 * configuration only; asks no service and changes nothing.
 */

enum bypass_kind {
    BYPASS_PAM_NONE = 1,   /* a service whose stack does not ask for the code; subject: the service */
    BYPASS_PAM_SUFFICIENT, /* a module ends the stack before it is asked; subject: the services */
    BYPASS_PAM_JUMP,       /* a module jumps over it; subject: the services */
    BYPASS_PAM_WEAK,       /* its own line lets a wrong code pass; subject: the services */
    BYPASS_PAM_UNCLEAR,    /* a stack that cannot be read or judged; subject: the service */
    BYPASS_PAM_ALONE,      /* the code is enough, without a password; subject: the services */
    BYPASS_PAM_GROUP,      /* who is in this group needs nothing; subject: the group */
    BYPASS_SSHD_PAM,
    BYPASS_SSHD_METHODS, /* subject: the methods that are enough alone */
    BYPASS_SSHD_ROOT,
    BYPASS_SSHD_KEYBOARD, /* trouble: the code cannot be asked */
    BYPASS_SSHD_UNCLEAR,
    BYPASS_AUTOLOGIN_LIGHTDM, /* subject: the person */
    BYPASS_AUTOLOGIN_GDM,
    BYPASS_AUTOLOGIN_SDDM,
    BYPASS_AUTOLOGIN_GETTY,
    BYPASS_GUEST_LIGHTDM,
    BYPASS_SUDO, /* sudo asks nothing */
    BYPASS_UNREADABLE,
    BYPASS_POLICY_NONE,   /* policy asks nobody for a code; said by who asked kuraband, never by bypass_look() */
    BYPASS_NOTE_GROUP,    /* note: closed as long as the group stays empty; subject: the group */
    BYPASS_NOTE_SSHD,     /* note: sshd was not asked itself */
    BYPASS_NOTE_PASSWORD, /* note: PasswordAuthentication beside a code */
    BYPASS_NOTE_SERVICES, /* note: services at which policy asks nobody; subject: they */
    BYPASS_NOTE_POLICY,   /* note: kuraband was not asked what policy says */
    BYPASS_NOTE_EARLY,    /* note: it is asked of who has not shown the password; subject: the services */
    BYPASS_NOTE_ONCE, /* note: a program that gives one answer to all questions of its stack; subject: the service. Said by who knows programs */
    BYPASS_KIND_COUNT_
};
/* "pam-none"; stable, for JSON. */
const char *bypass_kind_name(enum bypass_kind kind);
bool bypass_is_note(enum bypass_kind kind);

struct bypass_finding {
    enum bypass_kind kind;
    char *file;    /* as the machine names it */
    unsigned line; /* 0: the file as a whole */
    char *text;    /* the line as it stands, or "" */
    char *subject; /* or "" */
};

/* A service that need not ask. */
enum bypass_reason {
    BYPASS_REASON_JOBS = 1,  /* runs what was permitted before; nobody is there to be asked */
    BYPASS_REASON_GREETER,   /* draws the login screen; lets nobody in */
    BYPASS_REASON_AUTOLOGIN, /* used when autologin is on, which is looked at itself */
    BYPASS_REASON_ROOT,      /* who calls it is root already */
    BYPASS_REASON_COUNT_
};
struct bypass_exception {
    char *service;
    enum bypass_reason reason;
};
const char *bypass_reason_name(enum bypass_reason reason);

struct bypass_both {
    char *service;
    char *file; /* its own */
};

struct bypass_report {
    struct bypass_finding *findings; /* by file and line */
    size_t n_findings;
    struct bypass_exception *exceptions;
    size_t n_exceptions;
    char **closed; /* services that let nobody in without the code */
    size_t n_closed;
    struct bypass_both *both; /* of those, the ones that ask for a password and for the code */
    size_t n_both;
};
void bypass_report_done(struct bypass_report *r);

/* One more finding, for what others looked at; 0 or -ENOMEM. The same kind at the same line again adds the subject to those named before.
 * text NULL: "". */
int bypass_report_add(struct bypass_report *r, enum bypass_kind kind, const char *file, unsigned line, const char *text,
                      const char *subject);

/* root: "/" or a directory that holds a machine. sshd: what its `sshd -T` says, NULL when it was not asked. 0 or -errno, then the
 * report is empty. */
int bypass_look(const char *root, const char *sshd, struct bypass_report *ret);

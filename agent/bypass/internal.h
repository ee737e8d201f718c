#pragma once

#include "bypass/bypass.h"
#include "bypass/tree.h"

/* What the parts of bypass/ share; for its own .c files only. */

int report_closed(struct bypass_report *r, const char *service);
int report_both(struct bypass_report *r, const char *service, const char *file);
int report_except(struct bypass_report *r, const char *service, enum bypass_reason reason);
/* A file that should be readable: -ENOENT is fine and NULL, other problems become a finding. 0 or -ENOMEM. */
int report_read(struct bypass_report *r, const struct tree *t, const char *path, char **ret);

int look_pam(const struct tree *t, struct bypass_report *r);
int look_sshd(const struct tree *t, const char *effective, struct bypass_report *r);
int look_display(const struct tree *t, struct bypass_report *r);
int look_console(const struct tree *t, struct bypass_report *r);
int look_sudo(const struct tree *t, struct bypass_report *r);

/* Walks text line by line; changes it. NULL at the end. */
struct lines {
    char *rest;
    bool join;     /* a '\\' at the end of a line joins the next one to it */
    unsigned line; /* of what was returned last: its first line */
    unsigned next;
};
struct lines lines_of(char *text, bool join);
char *lines_next(struct lines *l);
/* Without white space at both ends; changes s. */
char *text_trim(char *s);

#pragma once

#include <stddef.h>

/* kuraban-courier: what it carries, and the loop in which it does. */

struct courier_options {
    const char *run_directory; /* of kuraband */
    int folder;                /* courier/ of the state directory (courier/centre.h); taken over */
    unsigned wait_max_s;       /* before an attempt to connect: up to this, at random */
};

/* Until SIGTERM or SIGINT. 0 or -errno. */
int courier_run(const struct courier_options *options);

#pragma once

enum {
    NOTIFY_OVER = 0, /* the session has ended, or another is here now */
};

/* The whole program behind main(): shows what kuraband tells until the session is over. NOTIFY_OVER or -errno, having said why. */
int notify_run(const char *run_directory);

/* Who is at the machine, of all whom logind calls active. */
#include "daemon/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct {
    const char *what;
    struct sessions_facts facts;
    bool here;
} cases[] = {
    {"login on a virtual terminal", {true, true, "user", "active", "seat0", "tty2", true}, true},
    {"a desktop", {true, true, "user", "active", "seat0", "tty7", true}, true},
    {"a desktop whose terminal nobody named", {true, true, "user", "active", "seat0", NULL, false}, true},
    {"the second seat has no virtual terminals", {true, true, "user", "active", "seat1", "", false}, true},
    {"it begins", {true, true, "user", "opening", "seat0", "tty1", true}, true},
    {"a serial line has no seat", {true, true, "user", "active", NULL, "ttyS0", true}, true},
    {"nor has a hypervisor's", {true, true, "user", "active", "", "hvc0", true}, true},
    {"no seat", {true, true, "user", "active", NULL, NULL, false}, false},
    {"xrdp", {true, true, "user", "active", "", "", false}, false},
    {"su in a pseudo terminal", {true, true, "user", "active", NULL, "pts/0", false}, false},
    {"with a seat in its environment", {true, true, "user", "active", "seat0", "pts/0", false}, false},
    {"a seat and a terminal that is not there", {true, true, "user", "active", "seat0", "tty99", false}, false},
    {"logged out, a program stays", {true, true, "user", "closing", "seat0", "tty2", true}, false},
    {"the same on a serial line", {true, true, "user", "closing", NULL, "ttyS0", true}, false},
    {"state not known", {true, true, "user", NULL, "seat0", "tty2", true}, false},
    {"another's turn", {false, true, "user", "online", "seat0", "tty2", true}, false},
    {"sshd", {true, false, "user", "active", NULL, NULL, false}, false},
    {"remote with a seat", {true, false, "user", "active", "seat0", "tty2", true}, false},
    {"the greeter", {true, true, "greeter", "active", "seat0", "tty7", true}, false},
    {"cron", {true, true, "background", "active", "seat0", "tty2", true}, false},
    {"class not known", {true, true, NULL, "active", "seat0", "tty2", true}, false},
    {"nothing known", {0}, false},
};

static void test_here(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        if (sessions_is_here(&cases[i].facts) != cases[i].here)
            fail_msg("%s", cases[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

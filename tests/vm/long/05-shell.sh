#!/bin/sh
# profile: bare
# The harness itself: a scenario that is a shell script inside the guest.
check()
{
    if "$@"; then echo "PASS $*"; else echo "FAIL $*"; fi
}

check [ "$(id -u)" = 0 ]
check [ "$(findmnt -no OPTIONS /payload | cut -d, -f1)" = ro ]
echo "a line for the log"

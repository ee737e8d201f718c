#!/bin/bash
# Who is at the machine, of all whom logind calls active: who sits at a seat or a console, not who became somebody by su, works there from afar, or has
# left a program behind. Sessions are files of logind's, as Debian 12 writes them.
set -euo pipefail
# These are ours alone. kuraband sees the mounts that we see.
if [ -z "${in_namespace-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
    in_namespace=yes exec unshare -m "$0"
fi
. "${0%/*}/daemon/stage.sh"

is() { holds "any(.[]; .kind == \"medium\" and .verdict == \"$1\")" devices; }
session() { # LINE...: that of daemon; none: nobody's
    if [ $# = 0 ]; then
        rm -f /run/systemd/sessions/c1
        return 0
    fi
    printf '%s\n' "UID=$(id -u daemon)" USER=daemon CLASS=user TYPE=tty "$@" > /run/systemd/c1
    mv /run/systemd/c1 /run/systemd/sessions/c1 # who watches hears of a rename
}
here() { # what LINE...
    session "${@:2}"
    eventually "$1: there" 20 is allow
    note "there: $1"
}
away() { # what LINE...: each begins with somebody who is there
    session "${at_seat[@]}"
    eventually "at the seat" 20 is allow
    session "${@:2}"
    eventually "$1: not there" 20 is deny
    note "not there: $1"
}

mkdir -p /run/systemd
mount -t tmpfs -o mode=0755 tmpfs /run/systemd
mkdir /run/systemd/sessions /run/systemd/seats /run/systemd/users /run/systemd/machines
at_seat=(ACTIVE=1 STATE=active REMOTE=0 SEAT=seat0)
stage_make
stick_further=', who: {users: [daemon]}' write_policy 1 read
daemon_start
eventually "nobody is there" 20 is deny

here "a desktop at its seat" "${at_seat[@]}"
away "logged out, a program stays" ACTIVE=1 STATE=closing REMOTE=0 SEAT=seat0
away "su in a pseudo terminal" ACTIVE=1 STATE=active REMOTE=0 TTY=pts/3
away "with a seat in its environment" "${at_seat[@]}" TTY=pts/3
away "a desktop from afar" ACTIVE=1 STATE=active REMOTE=0 DISPLAY=:10
away "sshd" ACTIVE=1 STATE=active REMOTE=1
away "another's turn" ACTIVE=0 STATE=online REMOTE=0 SEAT=seat0
away "gone"
if [ -c /dev/ttyS0 ]; then
    here "at a serial line, which is no seat" ACTIVE=1 STATE=active REMOTE=0 TTY=ttyS0
    away "logged out there, a program stays" ACTIVE=1 STATE=closing REMOTE=0 TTY=ttyS0
elif [ -c /dev/console ]; then
    here "at the console, which is no seat" ACTIVE=1 STATE=active REMOTE=0 TTY=console
fi
finished

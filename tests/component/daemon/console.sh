# shellcheck shell=bash
# Asking as a program at a console of the machine does, after stage.sh.
#
#   find_console /dev/tty60 …;  [ -n "$console" ] && login_at_console SERVICE UID NAME

console=''
# The first of these that can be had; tests that run beside each other name different ones.
find_console() {
    local tty
    for tty; do
        if setsid -c -w true < "$tty" > /dev/null 2>&1; then
            console=$tty
            return
        fi
    done 2> /dev/null
    note "no virtual terminal here: logins at one are seen in the VM only"
}

# "OUTCOME NUMBER FLAGS" of whether a code is needed.
login_at_console() {
    cat > "$stage/at_console.py" << 'PYTHON'
from mfa import *
use(sys.argv[1])
print(*read_login(login_answer(int(sys.argv[3]), sys.argv[4], "", 0, sys.argv[2])))
PYTHON
    setsid -c -w /usr/bin/python3 "$stage/at_console.py" "$stage/run/control.sock" "$@" < "$console"
}

# at_console EXPECTED SERVICE UID NAME
at_console() {
    local found
    [ -n "$console" ] || return 0
    found=$(login_at_console "${@:2}")
    [ "$found" = "$1" ] || fail "$4 at $console ($2): $found"
}

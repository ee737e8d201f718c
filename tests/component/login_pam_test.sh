#!/bin/bash
# pam_kuraban.so as libpam loads it (pamtester), against a running kuraband: in by a right code and in no other way, in both languages; first
# logins that enrol; kuraband stopped, killed and gone. /etc/pam.d is covered in a mount namespace of each attempt. Most of its time are PAM's
# pauses after a refusal.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1
module=$KURABAN_BUILD/lib/pam_kuraban.so
locales=''

# The sanitizers' runtime must come first in a process that does not know of them; what pamtester itself forgets is not ours.
preload() { ldd "$module" | sed -n 's/.* => \(.*lib[au]b\{0,1\}san\.so[^ ]*\) .*/\1/p' | paste -sd:; }

py() { # program on stdin
    /usr/bin/python3 - "$stage/run/control.sock" "$@"
}

enrolled() { # NAME: enrols a user of the system; the secret
    py "$1" << 'PYTHON'
from mfa import *
import pwd
use(sys.argv[1])
print(enrol(pwd.getpwnam(sys.argv[2]).pw_uid, sys.argv[2])[0])
PYTHON
}

code_of() { # SECRET [OFFSET]
    py "$@" << 'PYTHON'
from mfa import *
print(code(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
PYTHON
}
two_codes_of() { # SECRET: that of one moment, and the next
    py "$@" << 'PYTHON'
from mfa import *
now = step()
print(code(sys.argv[2], 0, now), code(sys.argv[2], 1, now), sep="\n")
PYTHON
}

login() { # USER: answers on stdin, one each line; everything said goes to $stage/said
    local rc=0
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c '
        set -e
        mount -t tmpfs tmpfs /etc/pam.d
        printf "auth required pam_permit.so\nauth required %s directory=%s\n" "$1" "$2" > /etc/pam.d/kuraban-test
        mount -t tmpfs tmpfs /usr/share/locale
        mkdir -p /usr/share/locale/ja/LC_MESSAGES
        cp "$3" /usr/share/locale/ja/LC_MESSAGES/kuraban.mo
        exec setpriv --reuid "$6" --regid "$6" --clear-groups \
            env LD_PRELOAD="$4" ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" stdbuf -oL pamtester kuraban-test "$5" authenticate
    ' login "$module" "$stage/run" "$KURABAN_BUILD/locale/ja/LC_MESSAGES/kuraban.mo" "$(preload)" "$1" "${as:-0}" > "$stage/said" 2>&1 || rc=$?
    cat "$stage/said" >> "$log"
    return "$rc"
}

gets_in() { # WHAT USER
    login "$2" || { cat "$stage/said" >&2; fail "$1: refused"; }
    note "$1: gets in"
}

stays_out() { # WHAT USER MESSAGE
    ! login "$2" || fail "$1: got in"
    grep -q -- "$3" "$stage/said" || { cat "$stage/said" >&2; fail "$1: not told '$3'"; }
    note "$1: $(tail -n 1 "$stage/said" | cut -c 1-120)"
}

with_mfa() { # VERSION SERVICES ENROL
    write_policy "$1" read "" "mfa:
  login: {services: [$2], grace: 0}
  enrol: $3
  throttle: {failures: 2, delay: none, lock: 15m}"
}

command -v pamtester > /dev/null || fail "pamtester is missing (packaging/dependencies/test.list)"
stage_make
daemon_start
gets_in "no mfa in the policy" daemon < /dev/null
with_mfa 2 sshd root
kuraban reload > /dev/null
gets_in "a service that policy does not name" daemon < /dev/null

with_mfa 3 kuraban-test root
kuraban reload > /dev/null
stays_out "not enrolled" daemon "No authenticator is registered" < /dev/null
secret=$(enrolled daemon)
code=$(code_of "$secret")
stays_out "an empty answer" daemon "No code was given" <<< ''
stays_out "600 bytes" daemon "code is wrong" <<< "$(printf '1%.0s' {1..600})"
gets_in "a right code" daemon <<< "$code"
stays_out "the same again" daemon "was used before" <<< "$code"
secret=$(enrolled bin)
stays_out "a wrong code" bin "code is wrong" <<< 12345678
stays_out "another one" bin "code is wrong" <<< 87654321
stays_out "a right one after two wrong ones" bin "wrong codes: locked" <<< "$(code_of "$secret")"

if localedef -i ja_JP -f UTF-8 "$stage/ja_JP.UTF-8" 2> /dev/null; then
    locales=$stage
    secret=$(enrolled sys)
    LOCPATH=$locales LANG=ja_JP.UTF-8 stays_out "in Japanese" sys "認証コードが違います" <<< 12345678
    grep -q '^認証コード: ' "$stage/said" || fail "the prompt is not in Japanese"
    ! grep -qi 'password\|パスワード' "$stage/said" || fail "a word that SDDM takes for the login's own"
else
    echo "SKIP: login_pam: no locale data to make ja_JP.UTF-8 of (package locales); tests/vm has it"
fi
msggrep --no-wrap -N agent/pam/pam_kuraban.c -N agent/pam/words.c "$KURABAN_SOURCE/po/ja.po" > "$stage/words"
grep -q '認証コード' "$stage/words" || fail "the messages of the module are not found"
! grep -i 'password\|パスワード' "$stage/words" || fail "a word that SDDM takes for the login's own"

# As screen lockers do: kuraband believes the socket, not the question.
secret=$(enrolled lp) other=$(enrolled mail)
as=$(id -u lp) gets_in "by lp alone, for lp" lp <<< "$(code_of "$secret")"
as=$(id -u lp) stays_out "by lp, for mail" mail "cannot be verified now" <<< "$(code_of "$other")"
gets_in "by root, for mail, with the same code" mail <<< "$(code_of "$other")"

with_mfa 4 kuraban-test first-login
kuraban reload > /dev/null
stays_out "a first login with codes of nothing" games "code is wrong" << 'CODES'
123456
234567
CODES
grep -q 'Its key: [A-Z2-7]\{32\}$' "$stage/said" || fail "the key is not shown"
grep -q 'otpauth://totp/' "$stage/said" || fail "the address is not shown"
rm "$stage/said"
coproc PERSON { login games; }
person_login=$PERSON_PID
said_key() { grep -qs 'Its key' "$stage/said"; }
eventually "the key" 20 said_key
secret=$(sed -n 's/.*Its key: //p' "$stage/said")
{ two_codes_of "$secret"; echo; } >&"${PERSON[1]}"
wait "$person_login" || { cat "$stage/said" >&2; fail "the enrolment at the first login fails"; }
[ "$(grep -o '[a-z0-9]\{4\}-[a-z0-9]\{4\}-[a-z0-9]\{4\}' "$stage/said" | wc -l)" = 10 ] || fail "there are not 10 recovery codes"
recovery=$(grep -o '[a-z0-9]\{4\}-[a-z0-9]\{4\}-[a-z0-9]\{4\}' "$stage/said" | head -n 1)
gets_in "a recovery code" games <<< "$recovery"
stays_out "the same again" games "code is wrong" <<< "$recovery"

secret=$(enrolled man)
stop_process "$daemon_pid"
before=$(now_ms)
stays_out "kuraband does not answer" man "cannot be verified now" <<< 123456
took=$(($(now_ms) - before))
((took >= 4900 && took < 12000)) || fail "given up after $took ms instead of 5 s (and PAM's pause)"
kill -CONT "$daemon_pid"
gets_in "and afterwards" man <<< "$(code_of "$secret")"
daemon_kill KILL
stays_out "kuraband killed" man "cannot be verified now" <<< "$(code_of "$secret" 1)"
daemon_start
gets_in "and started anew" man <<< "$(code_of "$secret" 1)"
chmod 0777 "$stage/run"
stays_out "a directory that others may write to" man "cannot be verified now" <<< 123456
chmod 0755 "$stage/run"
recorded '"mfa-verified"' || fail "no success in the journal"
recorded '"mfa-refused"' || fail "no failure in the journal"
finished

#!/bin/bash
# The key of the second factors sealed by systemd (--with-key=auto, docs/MFA.md): in force with the next start. When it is not unsealed, as by a TPM that was
# changed, nobody gets in by a code; booted with kuraban.emergency root does, at a console, and nobody else.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/console.sh"

export PYTHONPATH=${0%/*}/daemon PYTHONDONTWRITEBYTECODE=1

py() { # program on stdin
    /usr/bin/python3 - "$stage/run/control.sock" "$stage"
}

state() { # of the store, and of two logins
    py << 'PYTHON'
from mfa import *
use(sys.argv[1])
status = ask(STATUS)[1]
print(status["state"], status["key"], login(1, "daemon", "", 0), login(0, "root", "", 0))
PYTHON
}

command -v systemd-creds > /dev/null || skip "no systemd-creds"
stage_make
write_policy 1 read "" "mfa: {login: {services: [login], grace: 0}, enrol: root, throttle: {delay: none}}"
daemon_start
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
enrol(0, "root")
secret, recovery = enrol(1, "daemon")
open(sys.argv[2] + "/recovery", "w").write(" ".join(recovery))
PYTHON
daemon_kill TERM

note "sealed with --with-key=auto"
export SYSTEMD_CREDENTIAL_SECRET=$stage/host.secret # not the machine's own
openssl rand 32 > "$stage/key"
sealed=$(systemd-creds encrypt --with-key=auto --name=mfa-key "$stage/key" "$stage/mfa-key" 2>&1) || skip "systemd-creds seals nothing here: $sealed"
! cmp -s "$stage/key" "$stage/mfa-key" || fail "not sealed"
mkdir -m 700 "$stage/credentials"
unseal() { systemd-creds decrypt --name=mfa-key "$stage/mfa-key" - 2> "$stage/out" | install -m 400 /dev/stdin "$stage/credentials/mfa-key"; }
unseal || { cat "$stage/out" >&2; fail "not unsealed"; }
rm "$stage/key"
CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
[ "$(state)" = "good credential needed needed" ] || fail "with the sealed key: $(state)"
[ ! -e "$stage/state/mfa.key" ] || fail "mfa.key is still there"
py << 'PYTHON'
from mfa import *
use(sys.argv[1])
expect("a recovery code", login(1, "daemon", open(sys.argv[2] + "/recovery").read().split()[0]), "accepted")
PYTHON
daemon_kill TERM

note "what sealed it has changed: no key, no code"
mv "$stage/host.secret" "$stage/host.secret.lost"
if unseal 2> /dev/null; then fail "unsealed by a machine that did not seal it"; fi
rm -f "$stage/credentials/mfa-key"
find_console /dev/tty58 /dev/tty57 /dev/ttyS1
CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
[ "$(state)" = "no-key none unavailable unavailable" ] || fail "without the key: $(state)"
at_console "unavailable 0 0" login 0 root
[ ! -e "$stage/state/mfa.key" ] || fail "a new key was made"
daemon_kill TERM

note "booted with kuraban.emergency"
printf 'quiet kuraban.emergency\n' > "$stage/cmdline"
mkdir "$stage/booted"
cat > "$stage/booted/kuraband" << 'SH'
#!/bin/sh
exec unshare -m sh -c 'mount --bind "$BOOTED/../cmdline" /proc/cmdline && exec "$KURABAN_BUILD/bin/kuraband" "$@"' kuraband "$@"
SH
chmod +x "$stage/booted/kuraband"
BOOTED=$stage/booted programs=$stage/booted CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
expect "an emergency" '.emergency.boot' status
[ "$(state)" = "no-key none unavailable unavailable" ] || fail "not at a console: $(state)"
at_console "grace 0 2" login 0 root
at_console "not-needed 0 0" sshd 0 root # policy names no such service
at_console "unavailable 0 0" login 1 daemon
if [ -n "$console" ]; then
    kuraban sync > /dev/null
    kuraban audit show --json | jq -s -e 'any(.[]; .event.action == "emergency" and .event.kind == "alert" and .user.id == "0"
        and (.message | test("without a code, kuraban.emergency")))' > /dev/null || fail "root at the console is no alarm"
fi
daemon_kill TERM

note "the copy of the key from the safe"
mv "$stage/host.secret.lost" "$stage/host.secret"
unseal || { cat "$stage/out" >&2; fail "not unsealed"; }
CREDENTIALS_DIRECTORY=$stage/credentials daemon_start
[ "$(state)" = "good credential needed needed" ] || fail "with the key again: $(state)"
finished

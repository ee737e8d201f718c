#!/bin/bash
# An export that wants a code and a colleague's: asked on the terminal, both in the journal, none of them twice; and while it writes nobody else gets
# at the medium, root included.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"
. "${0%/*}/daemon/writing.sh"

typing() { # CODE… -- words…: nobody's kuraban export on a terminal; login: who logged in there, or none
    local -a codes=() logged_in=()
    [ -z "${login-}" ] || logged_in=(sh -c 'echo "$0" > /proc/self/loginuid && exec "$@"' "$(login_uid)")
    while [ "$1" != -- ]; do
        codes+=("$1")
        shift
    done
    shift
    factor type "${codes[@]}" -- "${logged_in[@]}" setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --bounding-set=-all --no-new-privs -- \
        env LC_ALL=C.UTF-8 LANGUAGE="${language-}" "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" export --to "$loop" --reason "district 3" "$@"
}
login_uid() { if [ "$login" = none ]; then echo 4294967295; else id -u "$login"; fi; }
take_out() { typing -- "$1"; }
said() { grep -q -- "$1" "$stage/out" || { cat "$stage/out"; fail "not said: $1"; }; }
last() { # ACTION jq-filter
    kuraban sync > /dev/null
    kuraban audit show --json | jq -c "select(.event.action == \"$1\") | $2" | tail -n 1
}
same() { # what expected got
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}
rule() { # VERSION further keys
    write_policy "$1" export '' "$(printf 'export:\n  - {id: out, to: [stick], from: [elsewhere], container: plain, %s}\nmfa: {throttle: {failures: 50, delay: none}}\n' "$2")"
}

for name in nobody daemon bin; do
    id -u "$name" > /dev/null || skip "no user $name"
done
stage_make
log_in nobody
large_stick
tune2fs -e panic -o nobarrier "$loop" > /dev/null 2>&1 # whoever made it may wish that
echo "zip me" > "$stage/outside/a.txt"
chmod 0644 "$stage/outside/a.txt"
rule 1 'factors: totp, approvals: 1, approvers: {users: [daemon]}'
daemon_start
plug
for name in nobody daemon bin; do
    enrol "$name"
done

exits 1 typing -- "$stage/outside/a.txt"
said 'too few colleagues'
exits 2 typing -- --approver nobody "$stage/outside/a.txt"
said 'somebody else approves'
exits 1 typing 000000 "$(code daemon)" -- --approver daemon "$stage/outside/a.txt"
said 'The code is wrong'
same "the own wrong code in the journal" '["factor","stick"]' "$(last export-failed '[.event.reason, .rule.id]')"
exits 1 typing "$(code nobody)" 000000 -- --approver daemon "$stage/outside/a.txt"
said 'code of daemon'
same "a wrong code in the journal" '["approval","stick"]' "$(last export-failed '[.event.reason, .rule.id]')"
# Not everybody may approve: said before anybody gives a code.
exits 4 typing 111111 222222 -- --approver bin "$stage/outside/a.txt"
said 'may not approve'
said 'not asked for: 2 codes'
same "who may not approve" '"approval"' "$(last export-failed .event.reason)"
# Who became another person (su, sudo) and has that one's code approves nothing by their own.
login=daemon exits 4 typing 111111 222222 -- --approver daemon "$stage/outside/a.txt"
said 'logged in here cannot approve'
said 'not asked for: 2 codes'
same "in the journal, with who it is" "[\"approval\",\"$(id -u nobody)\",\"$(id -u daemon)\"]" "$(last export-failed '[.event.reason, .user.id, (.kuraban.login_uid | tostring)]')"
enrol nobody
enrol daemon
login=nobody exits 0 typing "$(code nobody)" "$(code daemon)" -- --approver daemon "$stage/outside/a.txt"
plug
# Nor when it is not known who is logged in: who connected is gone before it asks.
gone() {
    /usr/bin/python3 - "$stage/run" "$loop" "$(id -u daemon)" "$@" << 'EOF'
import os, signal, socket, struct, sys, time
def text(s):
    return struct.pack("<I", len(s)) + s.encode()
s = socket.socket(socket.AF_UNIX)
s.connect(os.path.join(sys.argv[1], "control.sock"))
asker = os.getpid()
if os.fork():
    os._exit(0)
end = time.monotonic() + 20
while os.path.exists(f"/proc/{asker}") and time.monotonic() < end:
    time.sleep(0.05)
# Another process that gets its number is not it, of whosever login.
last = 0
if len(sys.argv) > 4:
    while last != asker and time.monotonic() < end:
        with open("/proc/sys/kernel/ns_last_pid", "w") as number:
            number.write(str(asker - 1))
        last = os.fork()
        if last == 0:
            if os.getpid() == asker:
                with open("/proc/self/loginuid", "w") as login:
                    login.write(sys.argv[4])
                while True:
                    signal.pause()
            os._exit(0)
        if last != asker:
            os.waitpid(last, 0)
    if last != asker:
        sys.exit("nobody gets the number again")
    while open(f"/proc/{asker}/loginuid").read() != sys.argv[4]:
        time.sleep(0.05)
fields = text(sys.argv[2]) + text("district 3") + text("0" * 64) + text("") + struct.pack("<BI", 1, int(sys.argv[3])) + text("")
s.sendall(struct.pack("<IHH", len(fields), 27, 0) + fields)
print(s.recv(4096)[12:].decode())
if last:
    os.kill(last, signal.SIGKILL)
EOF
}
same "asked by who is gone" self "$(gone | jq -r .reason)"
if [ -w /proc/sys/kernel/ns_last_pid ]; then
    same "and whose number another process has" self "$(gone "$(id -u bin)" | jq -r .reason)"
else
    note "not tried: another process with the number of who is gone"
fi
# Nor where nobody logged in.
login=none exits 4 typing 111111 222222 -- --approver daemon "$stage/outside/a.txt"
said 'logged in here cannot approve'
note "who is logged in does not approve"
enrol nobody
enrol daemon
own=$(code nobody) other=$(code daemon)
language=ja exits 0 typing "$own" "$other" -- --approver daemon "$stage/outside/a.txt"
said '  a.txt'
said 'district 3'
same "both people in the journal" "[\"$(id -u nobody)\",[$(id -u daemon)],\"district 3\"]" \
    "$(last export-finished '[.user.id, .kuraban.export.approvers, .kuraban.export.reason]')"
plug
exits 1 typing "$own" "$other" -- --approver daemon "$stage/outside/a.txt"
said 'used before'
no_code_is_written export-finished "$own" "$other"
note "codes"

# While it writes: it is stopped in the middle, so that all is tried then and not after it.
rule 2 'factors: none, approvals: 0'
exits 0 kuraban reload
head -c 300M /dev/urandom > "$stage/outside/large.bin"
chmod 0644 "$stage/outside/large.bin"
disk=${loop#/dev/}
mkdir -p "$stage/second"
stop_while_it_writes "$stage/outside/large.bin"
options=/proc/fs/ext4/$disk/options
if [ -r "$options" ]; then
    grep -qx errors=remount-ro "$options" || { cat "$options"; fail "the medium says what the kernel does at an error"; }
    grep -qx barrier "$options" || { cat "$options"; fail "the medium says that nothing is made durable"; }
else
    note "not looked at: this kernel shows no options of ext4"
fi
for _ in 1 2 3; do
    raw=0 second=0 namespace=0
    dd if=/dev/zero of="$loop" bs=512 seek=2 count=1 conv=fsync,notrunc > /dev/null 2>&1 && raw=1
    unshare -m mount -o ro "$loop" "$stage/second" 2> /dev/null && second=1
    ( as_user unshare -Urm mount -o rw "$loop" "$stage/second" ) 2> /dev/null && namespace=1
    [ "$raw$second$namespace" = 000 ] || fail "raw write, second mount, mount in a namespace: $raw$second$namespace"
    read_only || fail "the flag is not set while it writes"
    grep -q "$disk " /proc/self/mountinfo && fail "it is mounted where everybody sees it"
    is_held || fail "it does not have the medium any more"
done
continue_workers
wait "$client_pid" || { cat "$stage/typed"; fail "the export did not come to its end"; }
note "raw writes, mounts, a namespace while it writes"

# root looks at it in the very moment in which it is closed: the export has come to its end all the same.
plug
looks() { while :; do ! unshare -m mount -o ro,noload "$loop" "$stage/second" 2> /dev/null || echo >> "$stage/looked"; done; }
looked() { [ -e "$stage/looked" ] && [ "$(wc -l < "$stage/looked")" -gt "$looks" ]; }
: > "$stage/looked"
looks=0
looks &
helpers+=($!)
for _ in {1..6}; do
    exits 0 typing -- "$stage/outside/a.txt"
    eventually "somebody looks at it again" 20 looked
    looks=$(wc -l < "$stage/looked")
done
kill -KILL "${helpers[-1]}"
note "looked at $looks times, before and after it was closed"
finished

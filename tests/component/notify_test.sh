#!/bin/bash
# What a person sees on the desktop, in Japanese: a real kuraband, a session bus, and dunst on an X server without a screen. Given, ends soon, ended;
# refusals; kuraband killed and back; the server of notifications gone and back; names that would be markup; another person's are not shown.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

for program in Xvfb dunst dunstctl dbus-daemon busctl; do
    command -v "$program" > /dev/null || skip "$program is not installed (packaging/dependencies/test.list)"
done
id -u nobody daemon > /dev/null || skip "no users nobody and daemon"

desk='' notify_pid='' dunst_pid='' bus_pid=''

# in_session words…: a program of the person's desktop.
in_session() {
    as_user env -i PATH="$PATH" HOME="$desk" DISPLAY="$DISPLAY" DBUS_SESSION_BUS_ADDRESS="${bus-}" LC_ALL=C.UTF-8 LANGUAGE=ja \
        KURABAN_LOCALE_DIR="$KURABAN_BUILD/locale" ASAN_OPTIONS="${ASAN_OPTIONS-}" UBSAN_OPTIONS="${UBSAN_OPTIONS-}" "$@"
}

start_screen() {
    Xvfb -displayfd 4 -screen 0 1024x768x24 -ac -nolisten tcp 4> "$stage/display" 2> "$stage/xvfb" < /dev/null &
    helpers+=($!)
    eventually "an X server" 20 test -s "$stage/display"
    DISPLAY=:$(cat "$stage/display")
}

# Without DISPLAY: it can start no server of notifications by itself.
start_bus() {
    : > "$desk/bus"
    ( DISPLAY='' in_session dbus-daemon --session --nofork --print-address=5 5> "$desk/bus" 2> "$stage/bus.log" < /dev/null ) &
    bus_pid=$!
    helpers+=("$bus_pid")
    eventually "a session bus" 20 test -s "$desk/bus"
    bus=$(head -n 1 "$desk/bus")
}

has_server() { ( in_session busctl --user status org.freedesktop.Notifications ) > /dev/null 2>&1; }

start_dunst() {
    ( in_session dunst -print >> "$stage/dunst" 2> "$stage/dunst.log" < /dev/null ) &
    dunst_pid=$!
    helpers+=("$dunst_pid")
    eventually "dunst" 20 has_server
}

start_notify() {
    ( in_session "$KURABAN_BUILD/bin/kuraban-notify" --run-directory "$stage/run" --debug >> "$log" 2>&1 < /dev/null ) &
    notify_pid=$!
    helpers+=("$notify_pid")
    disown "$notify_pid" # its end is asked for
}

connections() { grep -c 'feed.connected' "$log" || :; }
connected() { [ "$(connections)" -ge "$1" ]; }

# dunst writes each notification that it shows or changes to its output.
read_screen() {
    /usr/bin/python3 - "$stage/dunst" > "$stage/screen" << 'PYTHON'
import json, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
found = re.findall(r"\tappname: '(.*?)'\n\tsummary: '(.*?)'\n\tbody: '(.*?)'\n\ticon: .*?\n\tid: (\d+)\n", text, re.S)
print(json.dumps([{"app": a, "summary": s, "body": b, "id": int(i)} for a, s, b, i in found]))
PYTHON
}

screen() { # JQ-EXPRESSION: of all that was shown
    read_screen
    jq -e "$1" "$stage/screen" > /dev/null 2>&1 # nothing yet is no
}

sees() { # what JQ-EXPRESSION
    wait_until "${3-10}" screen "$2" || { jq . "$stage/screen"; fail "$1: not shown: $2"; }
}

number() { read_screen; jq "$1" "$stage/screen"; }

displayed() { ( in_session dunstctl count displayed ) ; }

unlocks() { # words…: by a code of nobody
    exits 0 factor type "$(code nobody)" -- setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --no-new-privs -- \
        env LC_ALL=C.UTF-8 "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" unlock "$loop" --reason "district 3" "$@"
}

# What kuraband tells nobody's programs, a line each, as it comes.
listen() {
    as_user /usr/bin/python3 -u - "$stage/run/control.sock" > "$stage/heard" << 'PYTHON'
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(struct.pack("<IHH", 0, 30, 0))
answers = s.makefile("rb")
while header := answers.read(8):
    size, kind, flags = struct.unpack("<IHH", header)
    print(json.dumps(json.loads(answers.read(size)[4:])))
PYTHON
}
heard() { jq -e "$@" "$stage/heard" > /dev/null 2>&1; }

ticks() { # PID: what it has used of a processor
    local -a fields
    read -ra fields < "/proc/$1/stat"
    echo $((fields[13] + fields[14]))
}

stage_make
desk=$stage/desk
mkdir "$desk"
chown nobody "$desk"
chmod 0666 "$log"
: > "$stage/dunst"
for i in {1..300}; do
    echo "$i" > "$store/f$i"
done
hostile="$store/<b>&x"$'\n'"kuraban: ok"
echo x > "$hostile"
chmod 0666 "$hostile"
stick_further=', unlock: {factors: [totp], for: 15m}' write_policy 1 read '' 'mfa: {throttle: {failures: 50, delay: none}}'
daemon_start
chmod -R a+rX "$stage/run" # the test's own umask says nothing

# No session bus.
bus='' DISPLAY=''
exits 1 as_user env -i PATH="$PATH" LC_ALL=C.UTF-8 ASAN_OPTIONS="${ASAN_OPTIONS-}" "$KURABAN_BUILD/bin/kuraban-notify" --run-directory "$stage/run"
grep -q 'no session bus' "$stage/out" || { cat "$stage/out"; fail "no word about the missing bus"; }
note "without a session bus it says so and ends"

start_screen
start_bus
start_dunst
start_notify
eventually "the connection to kuraband" 20 connected 1
listen &
helpers+=($!)
eventually "a listener" 20 test -s "$stage/heard"

# Unlocked, soon over, over: one notification.
enrol nobody
unlocks --for 4s
sees "given" 'any(.[]; .app == "kuraban" and (.summary | test("^[0-2][0-9]:[0-5][0-9] まで")) and (.body | test("\\[?stick")))'
before=$(ticks "$notify_pid")
sees "ended" 'last | (.summary | test("ロック")) and (.body | test("時間"))' 20
[ $(($(ticks "$notify_pid") - before)) -lt 100 ] || fail "it is busy while nothing happens"
[ "$(number 'map(.id) | unique | length')" = 1 ] || { jq . "$stage/screen"; fail "one unlocking is more than one notification"; }
unlocks --for 123s
sees "ends soon" 'last | .summary | test("あと 2 分")' 20
( in_session "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" unlock --end ) > /dev/null
sees "given back" 'last | .body | test("自分で")'
unlocks
exits 0 kuraban unlock --end
sees "ended by root" 'last | .body | test("管理者")'
unlocks
eventually "four were given" 10 heard -s 'map(select(.notice == "grant-given")) | length == 4'
# A refusal would be folded, and come when the device is open again.
heard -s 'map(select(.notice == "refused")) == []' || { cat "$stage/heard"; fail "what is locked by an end is told as a refusal too"; }
stick_further=', unlock: {factors: [totp], for: 15m, approvals: 1}' write_policy 2 read '' 'mfa: {throttle: {failures: 50, delay: none}}'
exits 0 kuraban reload
sees "ended by policy" 'last | .body | test("ポリシー")'
stick_further=', unlock: {factors: [totp], for: 15m}' write_policy 3 read '' 'mfa: {throttle: {failures: 50, delay: none}}'
exits 0 kuraban reload
[ "$(number 'map(.id) | unique | length')" = 1 ] || { jq . "$stage/screen"; fail "one device is more than one notification"; }
note "given, ends soon, ended and why: one notification"

# A refusal in the words of kuraban why; another person's is theirs.
: > "$stage/dunst"
person=1 refused as_user cat "$store/residents.csv"
refused as_user cat "$store/residents.csv"
sees "refused" 'any(.[]; (.body | test("residents.csv") and test("/cat") and test("juki") and test("→")))'
why=$( in_session "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" why | sed -n 's/^  → //p' )
[ -n "$why" ] || fail "kuraban why says nothing"
sees "the words of kuraban why" "last | .body | contains(\"${why:0:24}\")"
[ "$(number 'map(select(.body | test("回"))) | length')" = 0 ] || fail "another person's refusal was counted"
note "a refusal, in Japanese; not that of others"

# A name is a name: no markup, no line of its own. Writing is told apart from reading.
exits 0 kuraban sync
refused as_user sh -c "echo x > '$hostile'"
sees "escaped" 'any(.[]; .body | test("&lt;b&gt;&amp;x") and (test("<b>") or test("\nkuraban: ok") | not))' 40
note "a hostile name is shown as it is"

# 300 files at once are one notification.
: > "$stage/dunst"
refused as_user sh -c "cat $store/f*"
sees "counted" 'last | .body | test("30[0-9] 件")' 40
[ "$(number length)" -le 8 ] || { jq . "$stage/screen"; fail "300 refusals made $(number length) notifications"; }
[ "$(number 'map(.id) | unique | length')" = 1 ] || fail "300 refusals are more than one notification"
note "300 refusals: $(number length) changes of one notification"

# kuraband killed and back: what was unlocked is over, and the next refusal is seen.
unlocks
sees "given" 'any(.[]; .summary | test("まで"))'
count=$(connections)
daemon_kill KILL
daemon_start
eventually "connected again" 60 connected $((count + 1))
sees "ended with kuraband" 'last | .body | test("再起動")'
note "kuraband killed and back"

# The server of notifications comes later than what is to be shown.
kill "$dunst_pid"
eventually "dunst's end" 10 ended "$dunst_pid"
: > "$stage/dunst"
unlocks
eventually "nobody to show it" 10 grep -q 'desk.no-server' "$log"
start_dunst
sees "shown late" 'last | .summary | test("まで")'
note "shown when there is somebody to show it"

# The newest of a session is the one; a session's end is its end.
first=$notify_pid
start_notify
eventually "the first one's end" 20 ended "$first"
refused as_user cat "$store/residents.csv"
sees "shown by the second" 'any(.[]; .body | test("residents.csv"))'
[ "$(displayed)" -ge 1 ] || fail "dunst displays nothing"
kill "$bus_pid"
eventually "its end with the session bus" 20 ended "$notify_pid"
ended "$daemon_pid" && fail "kuraband has ended"
note "the newest of a session is the one, and ends with it"
exits 0 kuraban audit verify
finished

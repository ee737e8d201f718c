#!/bin/bash
# Moving over from google-authenticator and pam_oath, against a running kuraband: what is carried over opens, once; and root is not tricked
# by what somebody puts into their home (CVE-2024-47191): no link is followed, nothing waits, nothing of another file is shown.
# Runs beside others.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

command -v jq > /dev/null || skip "jq is not installed"

export SCREEN=${0%/*}/daemon
secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
hex=3132333435363738393031323334353637383930

import() { kuraban mfa import "$@"; }
says() { grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "not said: $1"; }; }
never() { ! grep -qF -- "$1" "$stage/out" || { cat "$stage/out" >&2; fail "said: $1"; }; }
has() { holds "any(.[]; .name == \"$1\")" mfa list; }

stage_make
write_policy 1 read "" "mfa:
  login: {services: [login], grace: 0}
  enrol: root
  throttle: {failures: 10, delay: none, lock: 15m}
  window: 1"
daemon_start
home=$stage/home
mkdir "$home"
chown "$person:$person" "$home"
user=nobody

note "what somebody could put into their home"
google() { import google-authenticator "$home/.google_authenticator" --user "$user"; }
put() { rm -rf "$home/.google_authenticator"; cat > "$home/.google_authenticator"; chown "$person:$person" "$home/.google_authenticator"; chmod 600 "$home/.google_authenticator"; }
good() { printf '%s\n" RATE_LIMIT 3 30 1763856000\n" WINDOW_SIZE 17\n" TOTP_AUTH\n11112222\n' "$secret"; }
printf 'topsecret-of-root\n" TOTP_AUTH\n' > "$stage/root-only"
chmod 600 "$stage/root-only"

ln -s "$stage/root-only" "$home/.google_authenticator"
exits 4 google
says "symbolic link"
never topsecret
rm "$home/.google_authenticator"
mkdir "$stage/elsewhere"
good > "$stage/elsewhere/.google_authenticator"
ln -s "$stage/elsewhere" "$home/dir"
exits 4 import google-authenticator "$home/dir/.google_authenticator" --user "$user"
says "symbolic link"
mkfifo "$home/.google_authenticator"
exits 4 timeout 20 "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" mfa import google-authenticator "$home/.google_authenticator" --user "$user"
says "not a regular file"
rm "$home/.google_authenticator"
mkdir "$home/.google_authenticator"
exits 4 google
rmdir "$home/.google_authenticator"
ln "$stage/root-only" "$home/.google_authenticator" # where hard links are not protected
exits 4 google
says "more than one name"
never topsecret
rm "$home/.google_authenticator"
good | put
chown 1:1 "$home/.google_authenticator"
exits 4 google
says "belongs to somebody else"
good | put
chmod 666 "$home/.google_authenticator"
exits 4 google
says "others can write"
truncate -s 3M "$stage/big" && put < "$stage/big"
exits 5 google
says "too long"
printf '%s\0\n" TOTP_AUTH\n' "$secret" | put
exits 5 google
says "no text"
cat /etc/passwd | put
exits 1 google
never "root:"
never "/bin/"
says "refused"
printf '%s\n' "$secret" | put
exits 1 google
says "this is no file of google-authenticator"
printf 'GEZDGNBVGY3TQOJQ\n" TOTP_AUTH\n' | put
exits 1 google
says "less than 128 bits"
printf '%s\n" HOTP_COUNTER 7\n' "$secret" | put
exits 1 google
says "HOTP"
has "$user" && fail "something was imported all the same"
exits 2 import google-authenticator "$home/.google_authenticator"
exits 2 import google-authenticator "$home/.google_authenticator" --user no-such-person
exits 5 import google-authenticator "$home/nowhere" --user "$user"
exits 4 as_user "$KURABAN_BUILD/bin/kuraban" --config "$stage/kuraban.yaml" mfa import google-authenticator "$home/.google_authenticator" --user "$user"

note "a file as google-authenticator leaves it"
# The module there used the code of two steps ago; ours of now is still good.
printf '%s\n" RATE_LIMIT 3 30 1763856000\n" WINDOW_SIZE 17\n" DISALLOW_REUSE %d\n" TOTP_AUTH\n11112222\n33334444\n' "$secret" $((EPOCHSECONDS / 30 - 2)) | put
before=$(sha256sum < "$home/.google_authenticator")
exits 0 google
says "policy says this for everybody"
says "scratch code"
never 11112222
never "$secret"
[ "$(sha256sum < "$home/.google_authenticator")" = "$before" ] || fail "the file was changed"
has "$user" || fail "not imported"
holds ".[0].imported and .[0].recovery_left == 0" mfa list || fail "the list does not say that it was imported"
exits 1 google
says "has a second factor already"
never "$secret"
/usr/bin/python3 - "$KURABAN_BUILD/bin/kuraban" "$stage/kuraban.yaml" "$secret" << 'PYTHON'
import sys
sys.path.insert(0, __import__("os").environ["SCREEN"])
sys.dont_write_bytecode = True
from screen import *
program, config, secret = sys.argv[1:]
given = totp(secret)
for what, status in (("a code of the old app opens", 0), ("once", 1)):
    s = Screen(program, "--config", config, "mfa", "reissue", uid=65534)
    s.answer("recovery code: ", given + "\n")
    code = s.end()
    assert code == status, (what, code, s.shown)
    print("  " + what)
assert "used before" in s.shown, s.shown
PYTHON

note "pam_oath's file for many"
cat > "$stage/users.oath" << OATH
# users
HOTP/T30 daemon - ${hex:2}11
HOTP/T30/8 bin secretpin ${hex:2}22 0 12345678 2026-11-22T10:00:00L
HOTP sys - $hex 5
HOTP/T30 no-such-person - $hex
HOTP/T30 $user - $hex
nonsense
HOTP/T30 lp - $hex
OATH
chmod 600 "$stage/users.oath"
exits 1 import pam-oath "$stage/users.oath" --recovery --json
says '"outcome": "no-person"'
never "${hex:2}"
never "$secret"
never secretpin
jq -e '([.lines[] | select(.outcome == "carried") | .user] == ["daemon", "bin"]) and ([.lines[] | select(.refused) | .line] == [4, 5, 6, 7, 8])
    and (.lines[-1].outcome == "shared")
    and (.recovery | map(.codes | length) == [10, 10])' "$stage/out" > /dev/null || { cat "$stage/out"; fail "pam-oath --json"; }
{ has daemon && has bin; } || fail "not imported"
holds 'any(.[]; .name == "bin" and .digits == 8)' mfa list || fail "eight digits"
exits 0 kuraban mfa disable daemon --yes
exits 0 import pam-oath "$stage/users.oath" --user daemon
says "carried over"
never nonsense
exits 1 import pam-oath "$stage/users.oath" --user sys
exits 1 import pam-oath "$stage/users.oath" --user games
says "nothing of games"
chown "$person" "$stage/users.oath"
exits 4 import pam-oath "$stage/users.oath"
says "belongs to somebody else"
for user in daemon bin; do
    kuraban audit show --json | jq -s -e --arg uid "$(id -u "$user")" 'any(.[]; .event.action == "mfa-enrolled" and .user.id == $uid
        and (.message | test("imported from another verifier")))' > /dev/null || fail "the journal does not know that $user was imported"
done
if recorded "$secret" || recorded "$hex"; then fail "a secret is in the journal"; fi
finished

#!/bin/bash
# docs/FILEFORMAT.mfa.md against a store that kuraband made: its files, numbers, tables and columns; the example runs; and what a secret is bound to is
# what the page says (OpenSSL alone opens it).
# Runs beside others.
set -euo pipefail
. "${0%/*}/../component/daemon/stage.sh"

export PYTHONPATH=${0%/*}/../component/daemon PYTHONDONTWRITEBYTECODE=1
page=$KURABAN_SOURCE/docs/FILEFORMAT.mfa.md

stage_make
write_policy 1 read "" "mfa: {enrol: root, throttle: {delay: none}}"
daemon_start
/usr/bin/python3 - "$stage/run/control.sock" "$stage" << 'PYTHON'
from mfa import *
use(sys.argv[1])
secret, recovery = enrol(1, "daemon")
with open(sys.argv[2] + "/secrets", "w") as f:
    print(secret, *recovery, file=f)
expect("a recovery code", login(1, "daemon", recovery[3]), "accepted")
PYTHON
daemon_kill TERM

read -ra secrets < "$stage/secrets"
awk '/^```python$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" > "$stage/example.py"
[ -s "$stage/example.py" ] || fail "the page has no example"
example() { /usr/bin/python3 "$stage/example.py" "$stage/state" "$1"; }
[ "$(example "${secrets[1]}")" = $'the key is in force\na recovery code of record 1' ] || fail "a code that is left: $(example "${secrets[1]}")"
[ "$(example "${secrets[4]}")" = "the key is in force" ] || fail "a used one: $(example "${secrets[4]}")"

/usr/bin/python3 - "$page" "$stage/state" "${secrets[0]}" << 'PYTHON'
import base64, ctypes, os, re, sqlite3, struct, sys
page, state, secret = open(sys.argv[1]).read(), sys.argv[2], sys.argv[3]
store = sqlite3.connect(f"file:{state}/mfa.db?mode=ro", uri=True)


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"FAILED: {what}: {found!r}, the page says {wanted!r}")


one = lambda sql: store.execute(sql).fetchone()
expect("application_id", one("PRAGMA application_id")[0], int(re.search(r"application_id` is (0x[0-9a-f]+)", page)[1], 16))
expect("user_version", one("PRAGMA user_version")[0], int(re.search(r"`user_version` (\d+)", page)[1]))
columns = lambda table: [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
rows = re.findall(r"^\| (`.*?) \|", page[page.index("| column |"):page.index("`recovery` (")], re.M)
expect("credential", columns("credential"), re.findall(r"`(\w+)`", " ".join(rows)))
tables = {t: re.findall(r"`(\w+)`", words) for t, words in re.findall(r"`(recovery|grace|store)` \(([^)]*)\)", page)}
expect("the other tables", {t: columns(t) for t in ("recovery", "grace", "store")}, tables)
expect("tables", sorted(t for t, in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")),
       sorted(["credential", "room", *tables]))
files = set(re.findall(r"^\| `(mfa[^`]*)` \|", page, re.M))
there = {n for n in os.listdir(state) if n.startswith("mfa")}
expect("files", (there <= files, files - there), (True, {"mfa.key.next", "mfa.restored"}))

label = re.search(r"u32 length and `([^`]+)`, u64 record, u32 uid, u32 algorithm, u32 digits, u32 period, little endian", page)[1].encode()
record, uid, algorithm, digits, period, nonce, sealed = one("SELECT record, uid, algorithm, digits, period, nonce, secret FROM credential")
crypto = ctypes.CDLL("libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
    getattr(crypto, name).restype = ctypes.c_void_p


def open_sealed(bound):
    context, out, n = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new()), ctypes.create_string_buffer(64), ctypes.c_int()
    key, tag, count = open(state + "/mfa.key", "rb").read(), sealed[-16:], ctypes.byref(n)
    assert crypto.EVP_DecryptInit_ex(context, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key, nonce) == 1
    assert crypto.EVP_DecryptUpdate(context, None, count, bound, len(bound)) == 1
    assert crypto.EVP_DecryptUpdate(context, out, count, sealed, len(sealed) - 16) == 1
    size = n.value
    assert crypto.EVP_CIPHER_CTX_ctrl(context, 0x11, 16, tag) == 1  # EVP_CTRL_AEAD_SET_TAG
    return out.raw[:size] if crypto.EVP_DecryptFinal_ex(context, ctypes.create_string_buffer(16), count) == 1 else None


bound = struct.pack("<I", len(label)) + label + struct.pack("<QIIII", record, uid, algorithm, digits, period)
expect("the secret", open_sealed(bound), base64.b32decode(secret))
expect("the secret bound to another person", open_sealed(bound.replace(struct.pack("<I", uid), struct.pack("<I", 2), 1)), None)
PYTHON
finished

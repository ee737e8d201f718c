#!/bin/bash
# A key that never leaves its token: SoftHSM through OpenSSL's pkcs11 provider. Debian 12 has no package of the provider (Debian 13:
# pkcs11-provider); KURABAN_PKCS11_PROVIDER names its module elsewhere.
# Runs beside others.
set -euo pipefail

skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; cat out >&2; exit 1; }

provider=${KURABAN_PKCS11_PROVIDER:-$(openssl version -m | sed -E 's/.*"(.*)"/\1/')/pkcs11.so}
token=/usr/lib/softhsm/libsofthsm2.so
[ -e "$provider" ] || skip "no pkcs11 provider for OpenSSL ($provider)"
[ -e "$token" ] || skip "SoftHSM is not installed"
for tool in softhsm2-util pkcs11-tool openssl; do command -v "$tool" > /dev/null || skip "$tool is not installed"; done
! grep -q __asan_init "$KURABAN_BUILD/bin/kuraban" || skip "the provider loads modules as no sanitizer permits (RTLD_DEEPBIND)"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cd "$stage"
unset LANGUAGE LC_MESSAGES LANG
export LC_ALL=C.UTF-8 SOFTHSM2_CONF=$stage/softhsm2.conf
kuraban() { "$KURABAN_BUILD/bin/kuraban" "$@"; }

mkdir tokens
echo "directories.tokendir = $stage/tokens" > softhsm2.conf
{
    softhsm2-util --init-token --free --label city --pin 123456 --so-pin 654321
    pkcs11-tool --module "$token" --login --pin 123456 --keypairgen --key-type EC:edwards25519 --label mori --id 01
} > out 2>&1
cat > openssl.cnf << CNF
openssl_conf = init
[init]
providers = providers
[providers]
default = standard
pkcs11 = token
[standard]
activate = 1
[token]
module = $provider
pkcs11-module-path = $token
pkcs11-module-quirks = no-deinit no-operation-state
activate = 1
CNF
export OPENSSL_CONF=$stage/openssl.cnf
uri="pkcs11:token=city;object=mori;type=private"
umask 077
echo 123456 > pin
echo 999999 > wrong
{ echo "Name: 情報課 森"; openssl pkey -in "$uri?pin-value=123456" -pubout; } > mori.pub
kuraban policy keygen --name 田中 --out tanaka --passphrase-file <(:) > out 2>&1 && fail "an empty passphrase"
echo "correct horse battery staple" > passphrase
kuraban policy keygen --name 田中 --out tanaka --passphrase-file passphrase > out
kuraban policy root create --organization matsudo.example --expires "$(date -I -d '+1 year')" --root-key tanaka.pub --root-threshold 1 \
    --policy-key tanaka.pub --policy-key mori.pub --out root.json --head-threshold 1 --head-key mori.pub > out 2>&1
kuraban policy root sign --yes --key tanaka --passphrase-file passphrase root.json > out
cat > policy.yaml << 'YAML'
format: kuraban-policy/1
organization: matsudo.example
name: 課税課 標準
version: 1
mode: enforce
usb:
  - {id: stick, allow: read, match: {device: "0781:5583"}}
YAML
sign() { kuraban policy sign --yes --root root.json "$@" > out 2>&1; }
sign --key "$uri" --passphrase-file wrong policy.yaml && fail "a wrong PIN"
grep -q "does not open this key" out || fail "the reason"
sign --key "pkcs11:token=other;object=mori" --passphrase-file pin policy.yaml && fail "another token"
sign --key "$uri?pin-value=123456" policy.yaml && fail "a PIN that everybody sees"
grep -q "can be read by others" out || fail "the reason"
[ ! -e policy.yaml.signed ] || fail "a refused signature has a file"
sign --key "$uri" --passphrase-file pin policy.yaml || fail "the token"
sign --key tanaka --passphrase-file passphrase policy.yaml.signed || fail "the second signature"
unset OPENSSL_CONF
kuraban policy verify --root root.json policy.yaml.signed > out 2>&1 || fail "verify"
grep -q "情報課 森  good" out || fail "whose signature"
echo "a token signs"

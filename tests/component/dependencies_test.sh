#!/bin/bash
# A machine that has build.list and nothing else builds the release preset: what its configuration asks of pkg-config comes
# from a package of that list, or from one that such a package brings along.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v dpkg-query > /dev/null || { echo "SKIP: no dpkg here, so nothing says which package a file comes from"; exit 77; }

real=$(command -v pkg-config)
cat > "$tmp/pkg-config" <<WRAPPER
#!/bin/sh
printf '%s\n' "\$@" >> '$tmp/asked'
exec '$real' "\$@"
WRAPPER
chmod 0755 "$tmp/pkg-config"
: > "$tmp/asked"
PKG_CONFIG=$tmp/pkg-config cmake -S "$KURABAN_SOURCE" --preset release -B "$tmp/build" > "$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }

listed=$(sed -E 's/[[:space:]]*(#.*)?$//; /^$/d' "$KURABAN_SOURCE/packaging/dependencies/build.list")
status=0
modules=$(grep -v '^-' "$tmp/asked" | sort -u)
for module in $modules; do
    file=$("$real" --variable=pcfiledir "$module")/$module.pc
    owner=$(dpkg-query -S "$file" 2> /dev/null || dpkg-query -S "/usr${file#/usr}" 2> /dev/null || echo "of no package:")
    package=${owner%%:*}
    if ! grep -qx "$package" <<< "$listed"; then
        echo "FAIL: the release preset asks for $module ($package), which build.list does not have"
        status=1
    fi
done
if ! grep -qx libudev <<< "$modules"; then
    echo "FAIL: the wrapper saw nothing: $modules"
    status=1
fi
[ "$status" -ne 0 ] || echo "$(wc -w <<< "$modules") modules, all from build.list"
exit "$status"

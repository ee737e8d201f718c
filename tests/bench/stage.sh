# shellcheck shell=bash
# The stage of tests/bench/run: images, mounts, the listeners. finish() undoes all of it, also when a step fails.

stage='' floor_pid='' kuraband_pid='' fapolicyd_pid='' values=''
declare -A loops=()
# Equal images: what is guarded how. "disk" has a store that is a directory (inode marks) and a file elsewhere.
readonly images=(plain floor exit store disk peer)

say() { printf '%s\n' "$*" >&2; }

die() { say "tests/bench/run: $*"; exit 1; }

wait_until() { # seconds command…
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        read -rt 0.1 <> <(:) || :
    done
}

fill_image() { # directory
    local i
    mkdir -p "$1/warm" "$1/cold" "$1/store/warm" "$1/store/cold"
    for ((i = 0; i < 64; i++)); do echo x > "$1/warm/$i"; done
    for ((i = 0; i < cold_files; i++)); do echo x > "$1/cold/$i"; done
    cp -r "$1/warm" "$1/cold" "$1/store/"
    if [ "$trees" = yes ]; then
        mkdir "$1/tree"
        cp -r agent policy tests/unit tests/fake "$1/tree/"
        git -C "$1/tree" init -q
        git -C "$1/tree" add .
        git -C "$1/tree" -c user.name=bench -c user.email=bench@localhost commit -q -m tree
    fi
}

make_images() {
    local name
    truncate -s 256M "$stage/model.img"
    mkfs.ext3 -q -N 60000 "$stage/model.img"
    mkdir "$stage/model"
    attach model
    mount -t ext3 "$(loop_of model)" "$stage/model"
    fill_image "$stage/model"
    wait_until 10 umount "$stage/model" # whoever watches mounts may have it open for a moment
    for name in "${images[@]}"; do
        cp --sparse=always "$stage/model.img" "$stage/$name.img"
        attach "$name"
        mkdir "$stage/$name"
    done
}

loop_of() { echo "${loops[$1]}"; }

# Numbers of our own: a guard of somebody else on this machine may still list a low one that was its stick's, and would guard ours.
attach() { # image
    local number=$((100 + RANDOM % 400))
    until [ ! -e "/sys/block/loop$number/loop" ] && losetup "/dev/loop$number" "$stage/$1.img" 2> /dev/null; do
        number=$((number + 1))
        [ $number -lt 600 ] || die "no loop device for $1"
    done
    loops[$1]=/dev/loop$number
}

stage_make() {
    stage=$(mktemp -d /var/lib/kuraban-bench.XXXXXX)
    chmod 0755 "$stage"
    values=$stage/values
    cold_files=$((cold_opens * rounds))
    say "stage: $stage, $rounds rounds"
    make_images
    mkdir "$stage/bin" "$stage/out"
    cp "$programs/opens" "$stage/bin/opens"
    local name
    for name in "${images[@]}"; do
        mount -t ext3 "$(loop_of "$name")" "$stage/$name"
    done
    # Both sides the same: media are read-only under kuraban, so all are, except where somebody has to write.
    for name in plain floor exit peer; do
        mount -o remount,ro "$stage/$name"
    done
}

write_configuration() {
    cat > "$stage/kuraban.yaml" <<YAML
format: kuraban-config/1
run-directory: $stage/run
state-directory: $stage/state
policy: $stage/policy.yaml
usb: off
media: listed
exits: [$(loop_of exit)]
journald: off
keeper: on
YAML
    local cc1 programs_of_tree
    cc1=$(gcc -print-prog-name=cc1)
    programs_of_tree="{path: $stage/bin/opens}, {path: /usr/bin/git}, {path: $cc1}"
    cat > "$stage/policy.yaml" <<YAML
format: kuraban-policy/1
organization: bench.example
name: bench
version: 1
zone: mynumber
mode: enforce
media:
  exec: refuse
  rules:
    - {id: bench-stick, match: {bus: loop, path: $(loop_of exit)}, allow: read}
stores:
  - {id: own, path: $stage/store, class: 3B, programs: [$programs_of_tree]}
  - {id: shared, path: $stage/disk/store, class: 3B, programs: [$programs_of_tree]}
YAML
}

kuraban() { command kuraban --config "$stage/kuraban.yaml" "$@"; }

enforcing() { kuraban status --json 2> /dev/null | grep -Eq '"enforcing": ?true'; }

guarded() { kuraban devices --json 2> /dev/null | grep -q '"guarded": \?true'; }

start_kuraband() {
    write_configuration
    kuraban policy check "$stage/policy.yaml" > /dev/null
    kuraband --config "$stage/kuraban.yaml" --foreground 2>> "$stage/kuraband.log" &
    kuraband_pid=$!
    disown "$kuraband_pid"
    wait_until 60 enforcing || { cat "$stage/kuraband.log" >&2; die "kuraband does not enforce"; }
    wait_until 20 guarded || die "the medium was not marked"
    ! cat "$stage/store/warm/0" > /dev/null 2>&1 || die "the store is not guarded"
    ! cat "$stage/disk/store/warm/0" > /dev/null 2>&1 || die "the store on the shared filesystem is not guarded"
}

# The rules that the package's README-rules calls known-libs, with file trust only.
start_fapolicyd() {
    local rules=/usr/share/fapolicyd/sample-rules etc=$stage/fapolicyd.etc name
    mkdir -p "$etc/trust.d" "$stage/fapolicyd.lib" "$stage/fapolicyd.run"
    for name in 10-languages 20-dracut 21-updaters 30-patterns 40-bad-elf 41-shared-obj 42-trusted-elf 70-trusted-lang \
        72-shell 90-deny-execute 95-allow-open; do
        cat "$rules/$name.rules"
    done > "$etc/compiled.rules"
    : > "$etc/fapolicyd.trust"
    sed -e 's/^watch_fs.*/watch_fs = ext3/' -e 's/^trust = .*/trust = file/' -e 's/^[ug]id = .*//' -e 's/^permissive.*/permissive = 0/' \
        -e 's/^nice_val.*/nice_val = 0/' /etc/fapolicyd/fapolicyd.conf > "$etc/fapolicyd.conf"
    printf 'uid = 0\ngid = 0\n' >> "$etc/fapolicyd.conf"
    printf '%s %s %s\n' "$stage/bin/opens" "$(stat -c %s "$stage/bin/opens")" "$(sha256sum < "$stage/bin/opens" | cut -d' ' -f1)" \
        > "$etc/fapolicyd.trust"
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private sh -c '
        set -e
        stage=$1; shift
        for name; do umount "$stage/$name"; done
        mount --bind "$stage/fapolicyd.etc" /etc/fapolicyd
        mount --bind "$stage/fapolicyd.lib" /var/lib/fapolicyd
        mkdir -p /run/fapolicyd
        mount --bind "$stage/fapolicyd.run" /run/fapolicyd
        exec fapolicyd --debug-deny --no-details' \
        sh "$stage" plain floor exit store disk > "$stage/fapolicyd.log" 2>&1 &
    fapolicyd_pid=$!
    disown "$fapolicyd_pid"
    wait_until 30 grep -q 'Starting to listen' "$stage/fapolicyd.log" || { cat "$stage/fapolicyd.log" >&2; die "fapolicyd does not start"; }
}

# Where fapolicyd's marks are.
in_peer() { nsenter --mount="/proc/$fapolicyd_pid/ns/mnt" "$@"; }

listeners_start() {
    "$stage/bin/opens" answer "$stage/floor" > "$stage/floor.log" &
    floor_pid=$!
    disown "$floor_pid"
    wait_until 10 grep -q ready "$stage/floor.log" || die "the floor's listener does not start"
    start_kuraband
    if [ "$peer" = yes ]; then
        start_fapolicyd
    fi
}

gone() { ! kill -0 "$1" 2> /dev/null; }

listeners_stop() {
    local pid
    if [ -n "$kuraband_pid" ] && kill -0 "$kuraband_pid" 2> /dev/null; then
        kuraban purge --yes > /dev/null 2>&1 || kill -KILL "$kuraband_pid"
        wait_until 20 gone "$kuraband_pid"
    fi
    for pid in $floor_pid $fapolicyd_pid $(keeper_pid); do
        kill -KILL "$pid" 2> /dev/null || continue
        wait_until 10 gone "$pid"
    done
    kuraband_pid='' floor_pid='' fapolicyd_pid=''
}

# It inherits its daemon's error stream, which is our log; none when there is no keeper.
keeper_pid() {
    local pid
    for pid in $(pgrep -x kuraban-keeper); do
        [ "$(readlink "/proc/$pid/fd/2")" != "$stage/kuraband.log" ] || echo "$pid"
    done
}

finish() {
    local code=$? name loop
    trap - EXIT
    set +e
    [ -n "$stage" ] || exit "$code"
    listeners_stop
    for name in model "${images[@]}"; do
        mountpoint -q "$stage/$name" && wait_until 10 umount "$stage/$name"
    done
    for loop in "${loops[@]}"; do
        blockdev --setrw "$loop"
        losetup -d "$loop"
    done
    rm -rf --one-file-system "$stage"
    exit "$code"
}

# shellcheck shell=bash
# The stage of packaging/quickstart: a directory, a loop-backed stick, a store, a private instance of kuraband. Everything made
# here is undone by finish(), in reverse order, also when a step fails.

stage='' loop='' mount='' store='' client='' daemon_pid='' log=''

step() { printf '\n== %s\n' "$*"; }

build_release() {
    if [ ! -f "$1/build.ninja" ]; then
        cmake --preset release -B "$1" > /dev/null
    fi
    cmake --build "$1"
    PATH="$(readlink -f "$1")/bin:$PATH"
}

kuraban() { command kuraban --config "$stage/kuraban.yaml" "$@"; }

# The kernel's word, not a package's: mkfs.vfat can be there without the driver.
stick_filesystem() {
    if command -v mkfs.vfat > /dev/null && { grep -qw vfat /proc/filesystems || modprobe -q vfat; }; then
        echo vfat
    else
        echo ext4
    fi
}

make_stick() {
    local filesystem=$1 staging=$stage/stick.d
    mkdir "$staging"
    echo 'Notice of the meeting on Monday' > "$staging/notice.txt"
    cp /bin/true "$staging/tool"
    chmod 0777 "$staging" "$staging"/*
    truncate -s 32M "$stage/stick.img"
    if [ "$filesystem" = vfat ]; then
        mkfs.vfat -n STICK "$stage/stick.img" > /dev/null
        mkdir "$stage/fill"
        mount -o loop "$stage/stick.img" "$stage/fill"
        cp "$staging"/* "$stage/fill/"
        umount "$stage/fill"
    else
        mkfs.ext4 -q -L STICK -d "$staging" "$stage/stick.img"
    fi
}

# Everything here would be allowed by file permissions alone, so that each refusal below is kuraban's.
make_store() {
    store=$stage/store
    mkdir -p "$store" "$stage/programs" "$stage/elsewhere"
    echo '000000000018,Yamada Hanako' > "$store/residents.csv"
    chmod 0777 "$store" "$stage/elsewhere"
    chmod 0666 "$store/residents.csv"
    ln "$store/residents.csv" "$stage/linked.csv"
    client=$stage/programs/juki-client
    cp /bin/cat "$client"
    cp "$client" "$stage/programs/copy"
}

write_configuration() {
    cat > "$stage/kuraban.yaml" <<YAML
format: kuraban-config/1
run-directory: $stage/run
state-directory: $stage/state
policy: $stage/policy.yaml
usb: off
media: listed
exits: [$loop]
journald: off
keeper: on
YAML
    cat > "$stage/policy.yaml" <<YAML
format: kuraban-policy/1
organization: demonstration.example
name: quickstart
version: 1
zone: mynumber
mode: enforce
media:
  exec: refuse
  rules:
    - {id: demonstration-stick, match: {bus: loop, path: $loop}, allow: read}
stores:
  - id: juki
    path: $store
    class: 3B
    programs: [{path: $client}]
YAML
}

stage_make() {
    step "Setting the stage"
    # Not under /tmp: the gate trusts a program only when nobody but root can put another in its place.
    stage=$(mktemp -d /var/lib/kuraban-quickstart.XXXXXX)
    chmod 0755 "$stage"
    log=$stage/kuraband.log
    mount=$stage/mnt
    mkdir -m 0777 "$mount"
    filesystem=$(stick_filesystem)
    echo "stick: $filesystem in a file, directory: $stage"
    make_stick "$filesystem"
    make_store
    loop=$(losetup --find --show "$stage/stick.img")
    write_configuration
    kuraban policy check "$stage/policy.yaml"
}

enforcing() { kuraban status --json 2> /dev/null | grep -Eq '"enforcing": ?true'; }

wait_until() { # seconds command…
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        read -rt 0.1 <> <(:) || :
    done
}

stage_daemon_start() {
    kuraband --config "$stage/kuraban.yaml" --foreground 2>> "$log" &
    daemon_pid=$!
    disown "$daemon_pid"
    wait_until 30 enforcing || { echo "quickstart: kuraband does not enforce; its log:" >&2; cat "$log" >&2; exit 1; }
    echo "kuraband runs (pid $daemon_pid) and enforces"
}

stage_sync() { kuraban sync > /dev/null; }

stage_plug() {
    step "Plugging the stick"
    mount "$loop" "$mount" 2> /dev/null || mount -o ro "$loop" "$mount"
    wait_until 10 guarded || { echo "quickstart: the stick's filesystem was not marked" >&2; cat "$log" >&2; exit 1; }
    findmnt -no SOURCE,FSTYPE,OPTIONS "$mount"
}

guarded() { kuraban devices --json 2> /dev/null | grep -q '"guarded": \?true'; }

# The keepers of this stage: they inherit their daemon's error stream, which is our log.
keepers() {
    local file
    while read -r file; do
        if [ "$(readlink "${file%/comm}/fd/2" 2> /dev/null)" = "$log" ]; then
            basename "${file%/comm}"
        fi
    done < <(grep -lx kuraban-keeper /proc/[0-9]*/comm 2> /dev/null)
}

# The daemon lets go of the gate itself; where it cannot, its keeper is ended.
let_go() {
    local pid
    if [ -n "$daemon_pid" ] && kill -0 "$daemon_pid" 2> /dev/null; then
        kill -CONT "$daemon_pid"
        kuraban purge --yes > /dev/null 2>&1 || kill -KILL "$daemon_pid"
        wait_until 20 ended "$daemon_pid"
    fi
    for pid in $(keepers); do
        kill -KILL "$pid"
    done
}

finish() {
    local code=$?
    trap - EXIT
    set +e
    let_go
    [ -n "$mount" ] && mountpoint -q "$mount" && umount "$mount"
    for inner in fill elsewhere; do
        [ -n "$stage" ] && mountpoint -q "$stage/$inner" && umount "$stage/$inner"
    done
    [ -n "$loop" ] && blockdev --setrw "$loop" && losetup -d "$loop"
    if [ -n "$stage" ] && [ "$keep" = no ]; then
        rm -rf --one-file-system "$stage"
    elif [ -n "$stage" ]; then
        echo "kept: $stage"
    fi
    exit "$code"
}

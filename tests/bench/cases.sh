# shellcheck shell=bash
# The cases of tests/bench/run: what is measured where, and against what it is compared.

readonly cold_opens=400
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' GIT_OPTIONAL_LOCKS=0

put() { printf '%s\t%s\t%s\n' "$round" "$1" "$2" >> "$values"; } # case number

# All processes together: wall time for one open.
many() { # case directory processes [prefix…]
    local case=$1 dir=$2 processes=$3
    shift 3
    put "$case" "$("$@" "$stage/bin/opens" warm "$dir" "$((opens / processes))" "$processes")"
}

# One at a time: the median as the case, the mean as case-mean.
each() { # case [prefix…] -- words of opens
    local case=$1 figures
    local -a prefix=()
    shift
    while [ "$1" != -- ]; do
        prefix+=("$1")
        shift
    done
    shift
    figures=$("${prefix[@]}" "$stage/bin/opens" "$@")
    put "$case" "${figures% *}"
    put "$case-mean" "${figures#* }"
}

warm() { # case directory [prefix…]
    local case=$1 dir=$2
    shift 2
    each "$case" "$@" -- one "$dir" "$opens"
}

cold() { # case directory [prefix…]
    local case=$1 dir=$2
    shift 2
    each "$case" "$@" -- cold "$dir" "$cold_opens" "$((round * cold_opens))"
}

# Microseconds of a command, the better of two: the first may find its own files cold.
timed() { # case command…
    local case=$1 start end best=0 i
    shift
    for i in 1 2; do
        start=${EPOCHREALTIME/./}
        "$@" > /dev/null 2> "$stage/timed.err" || { cat "$stage/timed.err" >&2; die "$case: $* failed"; }
        end=${EPOCHREALTIME/./}
        [ "$i" -gt 1 ] && [ "$best" -lt $((end - start)) ] || best=$((end - start))
    done
    put "$case" "$best"
}

# Also unguarded, while nobody listens anywhere: what "elsewhere" is compared with.
measure_alone() { # case
    for ((round = 0; round < rounds; round++)); do
        warm "$1" "$stage/plain"
    done
}

measure_before() { measure_alone before; }
measure_after() { measure_alone after; }

round_opens() {
    warm plain-warm "$stage/plain"
    warm floor-warm "$stage/floor"
    warm exit-warm "$stage/exit"
    warm store-warm "$stage/store"
    warm shared-warm "$stage/disk/store"
    warm elsewhere-warm "$stage/disk"
    [ "$peer" = no ] || warm peer-warm "$stage/peer" in_peer
    cold plain-cold "$stage/plain"
    cold floor-cold "$stage/floor"
    cold exit-cold "$stage/exit"
    cold store-cold "$stage/store"
    cold shared-cold "$stage/disk/store"
    cold elsewhere-cold "$stage/disk"
    [ "$peer" = no ] || cold peer-cold "$stage/peer" in_peer
    many plain-8 "$stage/plain" 8
    many floor-8 "$stage/floor" 8
    many exit-8 "$stage/exit" 8
    many store-8 "$stage/store" 8
    [ "$peer" = no ] || many peer-8 "$stage/peer" 8 in_peer
}

compile() { # directory: some translation units, two at a time, objects elsewhere
    local dir=$1/tree file
    shift
    for file in base/text base/buf base/files kern/proc kern/mount kern/block; do
        echo "$dir/agent/$file.c"
    done | "$@" xargs -P2 -I{} sh -c 'gcc -std=gnu17 -D_GNU_SOURCE -O1 -I"$1/agent" -I"$1" -c "$2" -o "$3/$(basename "$2").o"' sh "$dir" {} "$stage/out"
}

round_trees() {
    local name
    local -a prefix
    for name in plain floor exit store peer; do
        prefix=()
        if [ "$name" = peer ]; then
            [ "$peer" = yes ] || continue
            prefix=(in_peer)
        fi
        timed "$name-status" "${prefix[@]}" git -C "$stage/$name/tree" status --short
        timed "$name-grep" "${prefix[@]}" git -C "$stage/$name/tree" grep -c the
        timed "$name-compile" compile "$stage/$name" "${prefix[@]}"
    done
}

measure_rounds() {
    for ((round = 0; round < rounds; round++)); do
        say "round $((round + 1)) of $rounds"
        round_opens
        if [ "$trees" = yes ]; then
            round_trees
        fi
    done
}

pss() { # name pid…
    local name=$1 sum=0 pid
    shift
    for pid; do
        sum=$((sum + $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")))
    done
    printf '| %s | %s | %d |\n' "$when" "$name" "$sum"
}

pss_all() {
    when=$1
    pss kuraband "$kuraband_pid"
    pss kuraban-keeper "$(keeper_pid)"
    [ "$peer" = no ] || pss fapolicyd "$fapolicyd_pid"
}

# Half of them in a store (asked and recorded each time), half under the peer.
measure_memory() { # events
    local events=$1
    {
        printf '| when | process | PSS KiB |\n|---|---|---:|\n'
        pss_all "after the rounds"
        say "$events events for kuraband"
        "$stage/bin/opens" warm "$stage/store" "$((events / 4))" 4 > "$stage/many"
        if [ "$peer" = yes ]; then
            say "$events events for fapolicyd"
            in_peer "$stage/bin/opens" warm "$stage/peer" "$((events / 4))" 4 >> "$stage/many"
        fi
        pss_all "after $events events more each"
    } > "$stage/memory"
}

table_of() { # what: CASE BASE WORDS lines from stdin
    printf '\n%s\n\n' "$1"
    tr '|' '\t' > "$stage/table"
    tests/bench/table "$values" "$stage/table"
}

report() {
    table_of "One open+close of one file, ns:" << 'END'
plain-warm|-|unguarded
floor-warm|plain-warm|listener that only answers
exit-warm|plain-warm|kuraban, medium
store-warm|floor-warm|kuraban, store on its own filesystem
shared-warm|floor-warm|kuraban, store on a shared filesystem
peer-warm|floor-warm|fapolicyd
store-warm|peer-warm|kuraban, store on its own filesystem
plain-warm-mean|-|mean instead of median: unguarded
floor-warm-mean|plain-warm-mean|mean: listener that only answers
store-warm-mean|floor-warm-mean|mean: kuraban, store
peer-warm-mean|floor-warm-mean|mean: fapolicyd
exit-warm|peer-warm|kuraban, medium
END
    table_of "Each file once, ns:" << 'END'
plain-cold|-|unguarded
floor-cold|plain-cold|listener that only answers
exit-cold|floor-cold|kuraban, medium
store-cold|floor-cold|kuraban, store on its own filesystem
shared-cold|floor-cold|kuraban, store on a shared filesystem
peer-cold|floor-cold|fapolicyd
exit-cold|peer-cold|kuraban, medium
store-cold|peer-cold|kuraban, store on its own filesystem
END
    table_of "Elsewhere, ns:" << 'END'
before|-|unguarded, before any listener ran
after|before|unguarded, after all had ended
plain-warm|before|another filesystem, while they run
elsewhere-warm|plain-warm|the filesystem of the shared store, outside it
elsewhere-cold|plain-cold|the same, each file once
END
    table_of "Eight processes at once, each its own file, wall ns for one open:" << 'END'
plain-8|-|unguarded
floor-8|plain-8|listener that only answers
exit-8|plain-8|kuraban, medium
store-8|floor-8|kuraban, store
peer-8|floor-8|fapolicyd
store-8|peer-8|kuraban, store
END
    [ "$trees" = no ] || table_of "Work, µs:" << 'END'
plain-status|-|git status, unguarded
floor-status|plain-status|git status, listener that only answers
exit-status|plain-status|git status, kuraban, medium
store-status|plain-status|git status, kuraban, store
peer-status|plain-status|git status, fapolicyd
plain-grep|-|git grep, unguarded
floor-grep|plain-grep|git grep, listener that only answers
exit-grep|plain-grep|git grep, kuraban, medium
store-grep|plain-grep|git grep, kuraban, store
peer-grep|plain-grep|git grep, fapolicyd
plain-compile|-|compiling six files, unguarded
floor-compile|plain-compile|compiling, listener that only answers
exit-compile|plain-compile|compiling, kuraban, medium
store-compile|plain-compile|compiling, kuraban, store
peer-compile|plain-compile|compiling, fapolicyd
END
    if [ -f "$stage/memory" ]; then
        printf '\nMemory:\n\n'
        cat "$stage/memory"
    fi
}

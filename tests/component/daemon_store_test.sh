#!/bin/bash
# Stores that live: files and directories that come, links, a store that is renamed, absent or comes later, programs that are
# upgraded with and without a pinned hash.
set -euo pipefail
. "${0%/*}/daemon/stage.sh"

# Written through the permitted program's rights: the file is made outside and moved, linked or created inside.
stray() { # NAME: a file outside, of the person
    echo secret > "$stage/outside/$1"
    chmod 0666 "$stage/outside/$1"
}

stage_make
pinned=$stage/programs/pinned
cp /bin/cat "$pinned"
hash=$(sha256sum < "$pinned")
late=$stage/late
write_policy 1 read "  - id: pinned
    path: $store.pinned
    class: 3B
    programs: [{path: $pinned, sha256: ${hash%% *}}]
  - id: late
    path: $late
    class: 3B
    programs: [{path: $client}]"
mkdir -m 0777 "$store.pinned"
echo x > "$store.pinned/file"
chmod 0666 "$store.pinned/file"
daemon_start
expect "a store that is not there yet" 'any(.[]; .check == "store.late" and .ok == false)' doctor

# Moved in, linked in, in a new directory, in a moved directory.
stray moved
mv "$stage/outside/moved" "$store/"
eventually "a moved file is guarded" 5 is_refused as_user cat "$store/moved"
allowed as_user "$client" "$store/moved"
stray linked
ln "$stage/outside/linked" "$store/linked"
eventually "a linked file is guarded by its other name" 5 is_refused as_user cat "$stage/outside/linked"
mkdir -m 0777 "$store/directory"
stray deep
mv "$stage/outside/deep" "$store/directory/"
eventually "a file in a new directory is guarded" 5 is_refused as_user cat "$store/directory/deep"
mkdir -p "$stage/outside/tree/a/b"
stray leaf
mv "$stage/outside/leaf" "$stage/outside/tree/a/b/"
chmod -R a+rwX "$stage/outside/tree"
mv "$stage/outside/tree" "$store/"
eventually "a moved tree is guarded" 5 is_refused as_user cat "$store/tree/a/b/leaf"
allowed as_user "$client" "$store/tree/a/b/leaf"
# Out again: the mark goes along.
mv "$store/tree/a/b/leaf" "$stage/outside/leaf"
refused as_user cat "$stage/outside/leaf"
# A hundred at once.
mkdir "$stage/outside/many"
for i in {1..100}; do echo secret > "$stage/outside/many/$i"; done
chmod -R a+rwX "$stage/outside/many"
mv "$stage/outside/many" "$store/"
all_refused() { for i in {1..100}; do is_refused as_user cat "$store/many/$i" || return 1; done; }
eventually "each of many files is guarded" 10 all_refused

# The directory itself renamed: what is in it stays guarded, the policy's path is told as absent; and back.
mv "$store" "$stage/renamed"
refused as_user cat "$stage/renamed/residents.csv"
eventually "the absence is told" 10 holds 'any(.[]; .check == "store.juki" and .ok == false)' doctor
refused as_user cat "$stage/renamed/residents.csv"
mv "$stage/renamed" "$store"
eventually "the store is back" 10 holds 'any(.[]; .check == "store.juki" and .ok)' doctor
refused as_user cat "$store/residents.csv"
allowed as_user "$client" "$store/residents.csv"

# One that comes after the start.
mkdir -m 0777 "$late"
echo secret > "$late/file"
chmod 0666 "$late/file"
eventually "a late store is guarded" 10 is_refused as_user cat "$late/file"
allowed as_user "$client" "$late/file"

# A permitted program upgraded as packages do it: a new inode under the old name. Not pinned: the new one is the program.
cp /bin/cat "$client.new"
mv "$client.new" "$client"
eventually "the upgraded program" 10 is_allowed as_user "$client" "$store/residents.csv"
# Pinned: another content is another program, the same content in a new inode is the program.
allowed as_user "$pinned" "$store.pinned/file"
cp "$pinned" "$pinned.new"
mv "$pinned.new" "$pinned"
eventually "the same content again" 10 is_allowed as_user "$pinned" "$store.pinned/file"
{ cat "$pinned"; echo; } > "$pinned.new"
chmod 0755 "$pinned.new"
mv "$pinned.new" "$pinned"
eventually "another content" 10 is_refused as_user "$pinned" "$store.pinned/file"
told() { holds '.[0].reason == "hash"' why; }
again() { is_refused as_user "$pinned" "$store.pinned/file" && told; }
eventually "why tells the hash" 10 again
# A program that others could exchange is nobody's.
chmod 0777 "$client"
eventually "an untrusted program" 10 is_refused as_user "$client" "$store/residents.csv"
expect "doctor" 'any(.[]; .check == "store.juki.program" and .ok == false and (.detail | contains("untrusted")))' doctor
chmod 0755 "$client"
eventually "trusted again" 10 is_allowed as_user "$client" "$store/residents.csv"

kuraban sync > /dev/null
expect "the journal" '.ok' audit verify
finished

#!/usr/bin/env bash
# graygelf on UDP port 23201, GELF over TCP (a NUL behind each message) on 23202; what came is in $D/out.jsonl.
set -euo pipefail
export NODE_PATH=${TMPDIR:-/tmp}/strata-interop-npm/node_modules
node "$(dirname "$0")/receive.js" >>"$D/out.jsonl" 2>"$D/node.log" </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    grep -q ready "$D/out.jsonl" && break
    sleep .1
done
grep -q ready "$D/out.jsonl"

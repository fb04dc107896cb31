#!/usr/bin/env bash
# Receivers made of Python's own logging: TCP port 19020, UDP port 19021; what came is in $D/out.jsonl.
set -euo pipefail
python3 "$(dirname "$0")/receive.py" 19020 19021 >>"$D/out.jsonl" 2>"$D/python.log" </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    grep -q ready "$D/out.jsonl" && break
    sleep .1
done
grep -q ready "$D/out.jsonl"

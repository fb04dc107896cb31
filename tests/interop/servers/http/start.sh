#!/usr/bin/env bash
# A receiver that writes down each request: HTTP port 19070; what came is in $D/out.jsonl.
set -euo pipefail
python3 "$(dirname "$0")/receive.py" 19070 >"$D/out.jsonl" 2>"$D/python.log" </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/19070) 2>/dev/null && exit 0
    sleep .1
done
cat "$D/python.log"
exit 1

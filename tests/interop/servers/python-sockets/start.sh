#!/usr/bin/env bash
# Python's own receivers: TCP 19020, UDP 19021; what arrives goes to $D/out.jsonl.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python3 "$here/recv_logging.py" 19020 19021 >"$D/out.jsonl" 2>"$D/stderr" &
echo $! >"$D/pid"
for _ in $(seq 100); do grep -q ready "$D/stderr" && exit 0; sleep .1; done
cat "$D/stderr"
exit 1

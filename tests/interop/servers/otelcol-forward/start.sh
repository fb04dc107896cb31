#!/usr/bin/env bash
# The collector: forward protocol on port 29224 and $D/fluent.sock; what arrives is in $D/out.jsonl.
set -euo pipefail
H=$(cd "$(dirname "$0")" && pwd)
BIN=${CACHE:-${TMPDIR:-/tmp}/strata-servers/otelcol-forward}/otelcol
rm -f "$D/fluent.sock"
D=$D "$BIN" --config "file:$H/config.yaml" >"$D/server.log" 2>&1 </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    [ -S "$D/fluent.sock" ] && (exec 3<>/dev/tcp/127.0.0.1/29224) 2>/dev/null && exit 0
    sleep .1
done
tail -5 "$D/server.log"
exit 1

#!/usr/bin/env bash
# qryn: HTTP port 29100; its ClickHouse: 29123.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=${CACHE:-${TMPDIR:-/tmp}/strata-servers/qryn}
"$ROOT/venv/bin/python" "$HERE/clickhouse.py" 29123 "$D/data" >"$D/clickhouse.log" 2>&1 </dev/null &
echo $! >"$D/clickhouse.pid"
for _ in $(seq 300); do
    grep -q ready "$D/clickhouse.log" && break
    sleep .1
done
cd "$ROOT"
CLICKHOUSE_SERVER=127.0.0.1 CLICKHOUSE_PORT=29123 CLICKHOUSE_DB=qryn CLICKHOUSE_AUTH=default: HOST=127.0.0.1 PORT=29100 \
    LOG_LEVEL=info node node_modules/qryn/qryn.mjs >"$D/server.log" 2>&1 </dev/null &
echo $! >"$D/pid"
for _ in $(seq 600); do
    curl -fs -m 2 -o /dev/null http://127.0.0.1:29100/ready && exit 0
    sleep .1
done
tail -5 "$D/clickhouse.log" "$D/server.log"
exit 1

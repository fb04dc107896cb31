#!/usr/bin/env bash
# VictoriaLogs: HTTP port 29428; arguments of the server in $ARGS. It keeps records of any time.
set -euo pipefail
BIN=${CACHE:-${TMPDIR:-/tmp}/strata-servers/victorialogs}/bin/victoria-logs
# shellcheck disable=SC2086
"$BIN" -storageDataPath="$D/data" -retentionPeriod=100y -futureRetention=100y -memory.allowedBytes=256MB \
    -httpListenAddr=127.0.0.1:29428 ${ARGS:-} >"$D/server.log" 2>&1 </dev/null &
echo $! >"$D/pid"
for _ in $(seq 100); do
    [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' http://127.0.0.1:29428/health)" != 000 ] && exit 0
    sleep .1
done
tail -5 "$D/server.log"
exit 1

#!/usr/bin/env bash
# OpenSearch, one node: HTTP port 29200; settings of the node in $ARGS.
set -euo pipefail
C=${CACHE:-${TMPDIR:-/tmp}/strata-servers/opensearch}
mkdir -p "$D/tmp"
U=${U:-nobody}
chown -R "$U" "$D" 2>/dev/null || true
run=()
[ "$(id -u)" = 0 ] && run=(setpriv "--reuid=$U" --regid=nogroup --clear-groups)
# shellcheck disable=SC2086
"${run[@]}" java -Xms256m -Xmx512m -XX:+UseSerialGC -Djava.io.tmpdir="$D/tmp" -Dlog4j2.level=WARN -cp "$C/cls:$C/lib/*" Judge \
    path.home="$D" cluster.name=judge node.name=judge discovery.type=single-node network.host=127.0.0.1 http.port=29200 \
    transport.port=29300 transport.type=netty4 http.type=netty4 cluster.routing.allocation.disk.threshold_enabled=false \
    ${ARGS:-} >"$D/server.log" 2>&1 </dev/null &
echo $! >"$D/pid"
for _ in $(seq 300); do
    curl -fs -m 2 http://127.0.0.1:29200/_cluster/health >/dev/null && exit 0
    kill -0 "$(cat "$D/pid")" || break
    sleep .2
done
tail -5 "$D/server.log"
exit 1

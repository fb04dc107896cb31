#!/usr/bin/env bash
# rotel, an OpenTelemetry collector: gRPC 24317, HTTP 24318; forwards by OTLP/HTTP to 14318.
set -euo pipefail
D=${D:-${TMPDIR:-/tmp}/strata-servers/rotel}
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-otlp}
A=$(ls "$V"/lib/python3*/site-packages/rotel/rotel-agent)
mkdir -p "$D/run"
cd "$D/run"
# Receivers keep their ports for a moment after a crash.
"$A" start --pid-file "$D/run/agent.pid" --log-file "$D/run/agent.log" \
    --otlp-grpc-endpoint 127.0.0.1:24317 --otlp-http-endpoint 127.0.0.1:24318 \
    --exporter otlp --otlp-exporter-endpoint "${DEST:-http://127.0.0.1:14318}" --otlp-exporter-protocol http >"$D/run/out.log" 2>&1 &
echo $! >"$D/run/pid"
for _ in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/24318) 2>/dev/null && (exec 3<>/dev/tcp/127.0.0.1/24317) 2>/dev/null && exit 0
    sleep .1
done
cat "$D/run/out.log"
exit 1

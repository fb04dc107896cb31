#!/usr/bin/env bash
# A receiver on the official definitions: gRPC 14317, HTTP 14318 (protobuf, JSON, gzip). What arrives is appended to run/recv.jsonl.
# TLS=1: TLS with a client's certificate, made in run/tls. ARGS: --fail N:503 --retry-after S --partial K --delay S
set -euo pipefail
H=$(cd "$(dirname "$0")" && pwd)
D=${D:-${TMPDIR:-/tmp}/strata-servers/otlp}
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-otlp}
mkdir -p "$D/run"
if [ -n "${TLS:-}" ] && [ ! -e "$D/run/tls/ca.pem" ]; then
    mkdir -p "$D/run/tls" && cd "$D/run/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test ca" -keyout ca.key -out ca.pem 2>/dev/null
    for name in server client; do
        openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr 2>/dev/null
        openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1') 2>/dev/null
    done
fi
[ -z "${TLS:-}" ] || ARGS="${ARGS:-} --tls $D/run/tls"
# shellcheck disable=SC2086
"$V/bin/python" "$H/recv_otlp.py" ${ARGS:-} >>"$D/run/recv.jsonl" 2>"$D/run/recv.err" &
echo $! >"$D/run/pid"
for _ in $(seq 200); do
    grep -q ready "$D/run/recv.err" && break
    sleep .1
done
grep -q ready "$D/run/recv.err" || { cat "$D/run/recv.err"; exit 1; }

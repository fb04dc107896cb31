#!/usr/bin/env bash
# At once, as a crash does.
set -euo pipefail
D=${D:-${TMPDIR:-/tmp}/strata-servers/otlp}
P=$(cat "$D/run/pid")
kill -9 "$P" 2>/dev/null || true
for _ in $(seq 100); do
    kill -0 "$P" 2>/dev/null || exit 0
    sleep .05
done

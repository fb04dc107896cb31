#!/usr/bin/env bash
set -euo pipefail
for pid in pid clickhouse.pid; do
    [ ! -e "$D/$pid" ] || kill "$(cat "$D/$pid")" 2>/dev/null || true
done

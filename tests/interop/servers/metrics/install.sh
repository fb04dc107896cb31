#!/usr/bin/env bash
# Readers of metrics: promtool (Debian's Prometheus), and the strict parsers of Python's prometheus_client, into a cache.
set -euo pipefail
cache=${TMPDIR:-/tmp}/strata-interop-metrics
need=
command -v promtool >/dev/null || need="$need prometheus"
command -v python3 >/dev/null || need="$need python3 python3-venv"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
[ -x "$cache/venv/bin/python" ] || python3 -m venv "$cache/venv"
"$cache/venv/bin/python" -c 'import prometheus_client' 2>/dev/null || "$cache/venv/bin/pip" -q install prometheus-client==0.26.0

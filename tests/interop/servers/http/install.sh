#!/usr/bin/env bash
# Python's own logging, and python-logging-loki.
set -euo pipefail
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-http}
command -v python3 >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv; }
[ -x "$V/bin/python" ] || python3 -m venv "$V"
"$V/bin/python" -c 'import logging_loki' 2>/dev/null || "$V/bin/pip" -q install python-logging-loki==0.3.1

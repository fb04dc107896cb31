#!/usr/bin/env bash
# Python's own logging, python-logging-loki, and Datadog's client.
set -euo pipefail
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-http}
command -v python3 >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv; }
[ -x "$V/bin/python" ] || python3 -m venv "$V"
"$V/bin/python" -c 'import logging_loki' 2>/dev/null || "$V/bin/pip" -q install python-logging-loki==0.3.1
"$V/bin/python" -c 'import datadog_api_client' 2>/dev/null || "$V/bin/pip" -q install datadog-api-client==2.62.0

#!/usr/bin/env bash
# What python-logging-loki sends of the records in $RECORDS by the dictConfig in $CONFIG.
set -euo pipefail
"${V:-${TMPDIR:-/tmp}/strata-servers/venv-http}/bin/python" "$(dirname "$0")/loki.py" "$CONFIG" "$RECORDS"

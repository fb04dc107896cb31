#!/usr/bin/env bash
# Entries by Datadog's own client to $HOST with the key $KEY.
set -euo pipefail
"${V:-${TMPDIR:-/tmp}/strata-servers/venv-http}/bin/python" "$(dirname "$0")/datadog.py"

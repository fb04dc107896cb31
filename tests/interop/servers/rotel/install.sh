#!/usr/bin/env bash
# rotel's agent, from its wheel.
set -euo pipefail
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-otlp}
[ -x "$V/bin/python" ] || python3 -m venv "$V"
ls "$V"/lib/python3*/site-packages/rotel/rotel-agent >/dev/null 2>&1 && exit 0
"$V/bin/pip" -q install --pre rotel==0.0.1a15
ls "$V"/lib/python3*/site-packages/rotel/rotel-agent >/dev/null

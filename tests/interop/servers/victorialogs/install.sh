#!/usr/bin/env bash
# VictoriaLogs, one node, from the Go module proxy.
set -euo pipefail
D=${CACHE:-${TMPDIR:-/tmp}/strata-servers/victorialogs}
VERSION=v1.52.1
need=
command -v go >/dev/null || need="$need golang-go"
command -v curl >/dev/null || need="$need curl"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
mkdir -p "$D/bin"
[ "$(cat "$D/bin/version" 2>/dev/null)" = $VERSION ] && [ -x "$D/bin/victoria-logs" ] && exit 0
GOBIN=$D/bin CGO_ENABLED=0 go install "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@$VERSION"
echo $VERSION >"$D/bin/version"
chmod -R a+rX "$D"

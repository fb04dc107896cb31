#!/usr/bin/env bash
# A collector with the receiver of log files and the exporter to files, from the Go module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${CACHE:-${TMPDIR:-/tmp}/strata-servers/otelcol-files}
contrib=github.com/open-telemetry/opentelemetry-collector-contrib
command -v go >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends golang-go; }
mkdir -p "$cache"
cd "$cache"
cmp -s "$here/main.go" main.go && [ -x otelcol ] && exit 0
rm -f go.mod go.sum otelcol
cp "$here/main.go" main.go
go mod init otelcol
go mod edit -require=$contrib/receiver/filelogreceiver@v0.165.1 -require=$contrib/exporter/fileexporter@v0.165.1
core=go.opentelemetry.io/collector
for module in otelcol@v0.165.0 service@v0.165.0 component@v1.71.0 confmap@v1.71.0 confmap/provider/envprovider@v1.71.0 \
    confmap/provider/fileprovider@v1.71.0 exporter@v1.71.0 receiver@v1.71.0; do
    go mod edit -require=$core/$module
done
# Not `tidy`, which wants what only the tests of these modules need.
CGO_ENABLED=0 go build -mod=mod -ldflags '-s -w' -o otelcol .

#!/usr/bin/env bash
# The official protobuf definitions and gRPC, into a virtual environment that rotel shares.
set -euo pipefail
V=${V:-${TMPDIR:-/tmp}/strata-servers/venv-otlp}
[ -x "$V/bin/python" ] || python3 -m venv "$V"
"$V/bin/python" -c 'import grpc, opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc' 2>/dev/null && exit 0
"$V/bin/pip" -q install grpcio opentelemetry-proto
"$V/bin/python" -c 'import grpc, opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc'

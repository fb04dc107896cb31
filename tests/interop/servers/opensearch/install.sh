#!/usr/bin/env bash
# OpenSearch from Maven's jars, and a main of our own that starts a whole node.
set -euo pipefail
D=${CACHE:-${TMPDIR:-/tmp}/strata-servers/opensearch}
VERSION=2.19.6
need=
command -v javac >/dev/null || need="$need openjdk-17-jdk-headless"
command -v mvn >/dev/null || need="$need maven"
command -v curl >/dev/null || need="$need curl"
[ -z "$need" ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $need; }
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$D/lib" "$D/cls"
if [ "$(cat "$D/version" 2>/dev/null)" != $VERSION ]; then
    dependency() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"; }
    cat >"$D/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version><dependencies>
$(dependency org.opensearch opensearch $VERSION) $(dependency org.opensearch.plugin transport-netty4-client $VERSION)
$(dependency org.opensearch.plugin analysis-common $VERSION) $(dependency org.apache.logging.log4j log4j-core 2.25.4)
</dependencies></project>
POM
    mvn -q -B -f "$D/pom.xml" dependency:copy-dependencies -DoutputDirectory="$D/lib"
    rm -f "$D"/cls/*
    echo $VERSION >"$D/version"
fi
[ "$D/cls/Judge.class" -nt "$HERE/Judge.java" ] || javac -cp "$D/lib/*" -d "$D/cls" "$HERE/Judge.java"
chmod -R a+rX "$D"

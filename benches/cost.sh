#!/usr/bin/env bash
# What it costs to add us, beside `fmt` + `json` + `env-filter` + `tracing-appender` for the same program (benches/cost):
# crates, build times from nothing with all of them downloaded (the best of ROUNDS), and the stripped binary.
# `bash benches/cost.sh [ROUNDS]`; for an idle machine, two to five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD rounds=${1:-1}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_INCREMENTAL

make() {
    local side=$1
    mkdir -p "$scratch/$side/src"
    cp "benches/cost/$side.rs" "$scratch/$side/src/main.rs"
    # The versions that this clone is tested with.
    cp Cargo.lock "$scratch/$side/"
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\ntracing = "0.1"\n%s\n' \
        "$side" "$2" >"$scratch/$side/Cargo.toml"
    (cd "$scratch/$side" && cargo fetch --quiet)
}

# The best of some builds: wall time and CPU time, in seconds. The second hardly minds what else the machine does.
build() {
    local best= TIMEFORMAT='%R %U'
    for _ in $(seq "$rounds"); do
        rm -rf target
        best=$(printf '%s\n' "$best" "$({ time cargo build --quiet --offline "$@"; } 2>&1)" | sed '/^$/d' | sort -n | head -n 1)
    done
    printf '%.1f/%.1f' $best
}

measure() {
    cd "$scratch/$1"
    crates=$(cargo tree --offline --prefix none -e normal,build --no-dedupe | awk '{ print $1, $2 }' | sort -u | wc -l)
    debug=$(build)
    release=$(build --release)
    cp "target/release/$1" stripped
    strip stripped
    "target/release/$1" 2>/dev/null
    [ -n "$(cat logs/*)" ]
    echo "$((crates - 1)) $debug $release $(stat -c %s stripped)"
    cd "$repository"
}

make ours "tracing-strata = { path = \"$repository\" }"
make theirs 'tracing-subscriber = { version = "0.3", features = ["json", "env-filter"] }
tracing-appender = "0.2"'
read -r crates debug release bytes < <(measure ours)
read -r crates2 debug2 release2 bytes2 < <(measure theirs)
cat <<END
| | tracing-strata | fmt, json, env-filter, tracing-appender |
|---|--:|--:|
| crates | $crates | $crates2 |
| debug build, s: wall/CPU | $debug | $debug2 |
| release build, s: wall/CPU | $release | $release2 |
| stripped binary, KiB | $((bytes / 1024)) | $((bytes2 / 1024)) |
END

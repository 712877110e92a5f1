#!/bin/sh
# Installs the peers of `cargo bench --bench throughput` into target/peers/venv. Without them the benchmark skips them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${CARGO_TARGET_DIR:-$here/../../target}/peers/venv
if [ ! -d "$venv" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
"$venv/bin/pip" list --format freeze

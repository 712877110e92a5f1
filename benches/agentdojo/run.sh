#!/bin/sh
# Gaitkeeper beside its peers on AgentDojo's recorded runs, from nothing: downloads, converts, measures, prints a table.
# Takes some ten minutes. Everything it makes is below target/agentdojo; comparison.md and comparison.json hold the result.
set -eu
export PYTHONDONTWRITEBYTECODE=1
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
work=$target/agentdojo
mkdir -p "$work"

if [ ! -d "$work/venv" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"

if [ ! -d "$work/agentdojo-0.1.29/runs" ]; then
    "$work/venv/bin/pip" download --quiet --no-binary :all: --no-deps --dest "$work" agentdojo==0.1.29
    tar -xzf "$work/agentdojo-0.1.29.tar.gz" -C "$work" agentdojo-0.1.29/runs
fi
"$work/venv/bin/python" "$here/convert.py" "$work/agentdojo-0.1.29/runs" "$work/streams"

cargo build --release --manifest-path "$here/../../Cargo.toml" --bin gaitkeeper
exec "$work/venv/bin/python" "$here/compare.py" "$work/streams" "$target/release/gaitkeeper" "$work"

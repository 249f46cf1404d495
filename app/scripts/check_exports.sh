#!/bin/sh
# Writes every kind of file that replay knows and lets other people's tools judge it: the mcap reader with all its checksums and
# what `mcap doctor` checks besides, pyarrow, ffprobe, and the mcap command where it is installed. Needs ffmpeg and python3 with venv; the readers go into a throw-away environment.
# PYTHON names a Python that already has mcap, mcap-protobuf-support and pyarrow.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
python=${PYTHON:-$(sh app/scripts/venv.sh "$folder/venv" mcap mcap-protobuf-support pyarrow)}
${CARGO:-cargo} build --release --features opencv
"${CARGO_TARGET_DIR:-target}/release/deltasteer" replay "${DRIVE:-road:7,seconds=10}" --csv "$folder/d.csv" --parquet "$folder/d.parquet" \
	--mcap "$folder/d.mcap" --video "$folder/d.mp4" --report "$folder/d.html" | grep written
"$python" app/scripts/check_exports.py "$folder"
if command -v mcap >/dev/null; then mcap doctor "$folder/d.mcap"; else echo "mcap doctor: SKIPPED, the command mcap is not installed"; fi

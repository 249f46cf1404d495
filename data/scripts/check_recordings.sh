#!/bin/sh
# Writes ROS 2 bags, MCAP files and LeRobot data sets with other people's writers (rosbags, mcap, pyarrow and ffmpeg), replays them and
# checks that every frame, time and angle comes back. Needs ffmpeg and python3 with venv; the writers go into a throw-away
# environment. PYTHON names a Python that already has rosbags, mcap, mcap-protobuf-support, pyarrow, numpy and pillow.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
python=${PYTHON:-$(sh app/scripts/venv.sh "$folder/venv" rosbags mcap mcap-protobuf-support pyarrow numpy pillow)}
${CARGO:-cargo} build --release --features opencv
"$python" data/scripts/check_recordings.py "${CARGO_TARGET_DIR:-target}/release/deltasteer" "$folder"

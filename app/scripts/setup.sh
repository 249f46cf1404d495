#!/bin/sh
# Installs what the build and the tests (ffmpeg makes their videos) need beyond Rust, on Debian and Ubuntu, and nothing that is
# already there. Arguments are the packages, instead of all.
set -eu
need=""
for package in ${*:-build-essential libopencv-dev clang libclang-dev pkg-config ffmpeg cmake nasm}; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || need="$need $package"
done
[ -z "$need" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: needs$need; install them with your system's package manager, or build without: cargo run --release" >&2
	exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
echo "setup: installing$need"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends $need

#!/bin/sh
# The root of app/Dockerfile's image without docker: it holds no window library and takes less than 100 MB, and `eval` and `replay` run
# with nothing else around them (chroot; in a user namespace of its own where this is not root). DELTASTEER names a program built already.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
if [ -z "${DELTASTEER:-}" ]; then
	"${CARGO:-cargo}" build --release --locked -p deltasteer --bin deltasteer --no-default-features
	DELTASTEER=target/release/deltasteer
fi
strip -o "$work/deltasteer" "$DELTASTEER"
sh app/scripts/image_root.sh "$work/deltasteer" "$work/root"
mkdir "$work/root/results"
kilobytes=$(du -sk "$work/root" | cut -f 1)
[ "$kilobytes" -lt 100000 ] || { echo "check-image: $kilobytes kB, expected less than 100 MB" >&2; exit 1; }
if find "$work/root" -name '*.so*' | grep -E 'libX|libxcb|libxkb|libGL|libEGL|libwayland|opencv'; then
	echo "check-image: expected none of these libraries" >&2
	exit 1
fi
inside() {
	if [ "$(id -u)" = 0 ]; then
		env -i TMPDIR=/tmp PATH="$PATH" chroot "$work/root" /bin/deltasteer "$@"
	else
		env -i TMPDIR=/tmp PATH="$PATH" unshare --user --map-root-user chroot "$work/root" /bin/deltasteer "$@"
	fi
}
PATH=$PATH:/usr/sbin:/sbin
inside eval road:3,seconds=5 road:4,seconds=5 --results /results --parquet /results/frames
inside replay road:3,seconds=5 --csv /results/a.csv --mcap /results/a.mcap --report /results/a.html
for file in a.csv a.mcap a.html; do [ -s "$work/root/results/$file" ]; done
[ "$(find "$work/root/results" -name '*.parquet' | wc -l)" = 2 ]
echo "check-image: $kilobytes kB, $(find "$work/root" -name '*.so*' | wc -l) libraries; eval and replay run in it"

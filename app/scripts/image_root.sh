#!/bin/sh
# image_root.sh PROGRAM FOLDER: the program with the libraries that it links, as the root of an image that holds nothing else.
set -eu
program=$1
root=$2
mkdir -p "$root/tmp" "$root/bin"
chmod 1777 "$root/tmp"
cp "$program" "$root/bin/deltasteer"
# Lines are "name => /path (address)" or "/path (address)"; the kernel's own page has no path.
ldd "$program" | awk '{ for (word = 1; word <= NF; word++) if ($word ~ /^\//) print $word }' | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
# The certificates of public servers, for drives behind https.
certificates=/etc/ssl/certs/ca-certificates.crt
if [ -f "$certificates" ]; then
	mkdir -p "$root$(dirname "$certificates")"
	cp -L "$certificates" "$root$certificates"
fi

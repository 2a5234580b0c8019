#!/usr/bin/env bash
# Builds bin/gpu: gpu-test and gpu-bench with every library that they need beside the C library and NVIDIA's driver, so that the
# folder runs on a machine that has neither Go nor FFmpeg. Then runs one of them here; arguments behind its name go to it. Called by
# `make gpu-test` and `make gpu-bench` in the environment of env.sh.
set -eu
cd "$(dirname "$0")/.."
start=$1
shift
out=bin/gpu
rm -rf "$out"
mkdir -p "$out/lib"
for program in gpu-test gpu-bench; do
	CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -o "$out/lib/$program" "./gpu/${program//-/}"
	# The C library is the machine's own: it belongs to its loader.
	ldd "$out/lib/$program" | awk '$3 ~ /^\// { print $3 }' |
		grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} "$out/lib/"
	cat >"$out/$program" <<RUN
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
LD_LIBRARY_PATH=\$here/lib exec "\$here/lib/$program" "\$@"
RUN
	chmod +x "$out/$program"
done
du -sh "$out" >&2
exec "$out/$start" "$@"

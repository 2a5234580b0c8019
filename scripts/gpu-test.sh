#!/usr/bin/env bash
# Builds bin/gpu-test: the program and every library that it needs beside the C library and NVIDIA's driver, so that the folder runs on
# a machine that has neither Go nor FFmpeg. Then runs it here; arguments go to it. Called by `make gpu-test` in the environment of env.sh.
set -eu
cd "$(dirname "$0")/.."
out=bin/gpu-test
rm -rf "$out"
mkdir -p "$out/lib"
CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -o "$out/gpu-test.bin" ./gpu/gputest
CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -o "$out/gpu-bench" ./gpu/gpubench
# The C library is the machine's own: it belongs to its loader.
ldd "$out/gpu-test.bin" | awk '$3 ~ /^\// { print $3 }' |
	grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} "$out/lib/"
cat >"$out/gpu-test" <<'RUN'
#!/bin/sh
# The table of what holds on this machine's cards; then the kernel's figures on the first.
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$here/lib "$here/gpu-test.bin" "$@" && "$here/gpu-bench"
RUN
chmod +x "$out/gpu-test"
du -sh "$out" >&2
"$out/gpu-test" "$@"

#!/usr/bin/env bash
# Compiles the CUDA kernels to the PTX that is embedded: clang needs no CUDA toolkit for it. Versions of clang write different
# text, so it is always the same one.
set -eu
cd "$(dirname "$0")/../gpu"
clang=clang-14
command -v "$clang" >/dev/null || { echo "kernels: $clang is missing; install the package clang-14" >&2; exit 3; }
written=$(mktemp)
trap 'rm -f "$written"' EXIT
for kernel in kernels/compose gpubench/chain; do
	(cd "${kernel%/*}" && "$clang" -x cuda --cuda-device-only --cuda-gpu-arch=sm_75 -nocudainc -nocudalib -O3 -S -Wall -Werror -o "$written" "${kernel##*/}.cu")
	if [ "${1-}" = --check ]; then
		cmp -s "$written" "$kernel.ptx" || { echo "kernels: $kernel.ptx is not what its .cu compiles to; run make kernels" >&2; exit 1; }
	else
		install -m 644 "$written" "$kernel.ptx"
	fi
done

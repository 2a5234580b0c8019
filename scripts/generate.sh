#!/usr/bin/env bash
# Writes every generated file again that a machine without a GPU toolchain can write.
set -eu
cd "$(dirname "$0")/.."
packages=(./api/...)

for pattern in "${packages[@]}"; do
	if [ -d "${pattern%/...}" ]; then go generate "$pattern"; fi
done

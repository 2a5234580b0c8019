#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default 30s) each; the first failure ends it, and Go says where it keeps the input.
set -eu
cd "$(dirname "$0")/.."

go list -f '{{$p := .ImportPath}}{{$d := .Dir}}{{range .TestGoFiles}}{{$p}} {{$d}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p}} {{$d}}/{{.}}{{"\n"}}{{end}}' ./... |
	while read -r package file; do
		[ -n "$package" ] || continue
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
			echo "fuzz: $package $target" >&2
			go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$package" </dev/null
		done
	done

#!/usr/bin/env bash
# Runs every Go test once, in the environment of env.sh. Packages without C run with CGO_ENABLED=0, which proves that they need
# neither a C compiler nor FFmpeg; internal/archtest says which may have C. Arguments go to both runs of `go test`.
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=1

# Uses C where cgo is on and builds without it too; internal/archtest has the same list.
optional_c=kernel.org/pub/linux/libs/security/libcap/psx
# The packages of ours that are cgo, or depend on cgo outside the standard library, their tests included.
cgo=$(go list -deps -test -f '{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}' ./... | grep -vxF "$optional_c") || true
with_c=$(go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | awk -v cgo="$cgo" '
	BEGIN { n = split(cgo, list); for (i = 1; i <= n; i++) c[list[i]] }
	{
		package = $1
		sub(/(_test)?(\.test)?$/, "", package)
		for (i = 1; i <= NF; i++) if ($i in c) print package
	}' | sort -u)
without_c=$(go list ./... | grep -vxF "$with_c") || true
# The tests of the whole binary run in real time: last, with the machine to themselves.
real_time=$(go list ./e2e)
with_c=$(grep -vxF "$real_time" <<<"$with_c") || true
without_c=$(grep -vxF "$real_time" <<<"$without_c") || true

status=0
# shellcheck disable=SC2086
if [ -n "$without_c" ]; then CGO_ENABLED=0 go test "$@" $without_c || status=1; fi
# shellcheck disable=SC2086
if [ -n "$with_c" ]; then go test "$@" $with_c || status=1; fi
# shellcheck disable=SC2086
go test -timeout 20m "$@" $real_time || status=1
exit $status

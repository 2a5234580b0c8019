#!/usr/bin/env bash
# Everything that must hold before a change is merged: form, generated files, linters, the control room, then every test.
# Called by `make check` in the environment of env.sh.
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=1

say() { printf 'check: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

say 'scripts parse'
for script in scripts/*.sh .ci/run; do bash -n "$script"; done

say 'gofmt'
unformatted=$(git ls-files -co --exclude-standard '*.go' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | xargs -r gofmt -l)
[ -z "$unformatted" ] || fail "not formatted, run gofmt -w on: $unformatted"

say 'generated files'
generated() {
	git ls-files -co --exclude-standard | grep -E '(^|/)(gen|generated)\.go$|\.gen\.(go|ts)$|_string\.go$' |
		while read -r file; do [ ! -e "$file" ] || sha256sum "$file"; done
}
before=$(generated) || true
scripts/generate.sh
after=$(generated) || true
[ "$before" = "$after" ] || fail "not up to date, commit what make generate changed: $(diff <(echo "$before") <(echo "$after") | awk '/^>/ { print $3 }' | xargs)"

if command -v clang-14 >/dev/null; then
	say 'kernels'
	scripts/kernels.sh --check || fail 'the embedded PTX is not up to date'
else
	say 'kernels: no clang-14 here, the embedded PTX is not compared'
fi

say 'go vet'
go vet ./...
say 'staticcheck'
go tool staticcheck ./...

if [ -e api/web/package.json ]; then
	say 'control room'
	scripts/ui.sh check
fi

say 'tests and layer rules'
scripts/test.sh

#!/usr/bin/env bash
# The control room in api/web: `ui.sh build` makes what the binary embeds when a source is newer, `ui.sh check` checks types and runs
# its tests. Where there is no node, or its packages cannot be had, the binary gets by with what is in the tree, and this says so.
set -eu
cd "$(dirname "$0")/../api/web" 2>/dev/null && [ -e package.json ] || exit 0
fetched=node_modules/.millrace-fetched
built=node_modules/.millrace-built

# fits: whether a node on PATH is one that Vite 8 runs on: 20.19 or newer of 20, 22.12 or newer.
fits() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number)
		process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' 2>/dev/null
}

# npm_run runs npm, under a newer node from npm itself where the distribution's is too old.
npm_run() {
	if fits; then npm "$@"; else npm exec --yes --package=node@22 -- npm "$@"; fi
}

# newer FILE: whether a source is newer than it, or it is not there.
newer() {
	[ ! -e "$1" ] || [ ../openapi.yaml -nt "$1" ] || [ -n "$(find . \( -path ./node_modules -o -path ./dist \) -prune -o -type f ! -name '*.gen.ts' -newer "$1" -print -quit)" ]
}

# fetch installs the locked packages where they are not there yet.
fetch() {
	if [ -e "$fetched" ] && [ ! package-lock.json -nt "$fetched" ]; then return; fi
	echo 'ui: fetching its packages' >&2
	npm_run ci --no-audit --no-fund --loglevel=error >&2 || return 1
	mkdir -p node_modules
	touch "$fetched"
}

case ${1-} in
build | check) ;;
*)
	echo 'usage: scripts/ui.sh build|check' >&2
	exit 2
	;;
esac
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	echo 'ui: node and npm are not here, so the binary has the plain pages of the tree' >&2
	exit 0
fi
if [ "$1" = check ]; then
	fetch
	npm_run run --silent --if-present check
	npm_run run --silent --if-present test
elif newer "$built" || [ ! -e dist/index.html ]; then
	if ! fetch; then
		echo 'ui: its packages cannot be fetched, so the binary has the control room that was built last, or plain pages' >&2
		exit 0
	fi
	echo 'ui: building the control room' >&2
	npm_run run --silent build >&2
	touch "$built"
fi

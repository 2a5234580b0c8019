#!/usr/bin/env bash
# The control room in api/web: `ui.sh build` makes what the binary embeds when a source is newer, `ui.sh check` checks types and runs
# its tests. Where there is no node, or no newer one can be had, the built control room in the tree is used, and this says so.
set -eu
cd "$(dirname "$0")/../api/web" 2>/dev/null && [ -e package.json ] || exit 0
stamp=node_modules/.millrace-built

# fits: whether a node on PATH is one that Vite 8 runs on: 20.19 or newer of 20, 22.12 or newer.
fits() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number)
		process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' 2>/dev/null
}

# npm_run runs npm, under a newer node from npm itself where the distribution's is too old.
npm_run() {
	if fits; then npm "$@"; else npm exec --yes --package=node@22 -- npm "$@"; fi
}

changed() {
	[ ! -e "$stamp" ] || [ -n "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer "$stamp" -print -quit)" ]
}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	echo 'ui: no node here, so the control room in the tree is used as it is' >&2
	exit 0
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	echo 'ui: fetching its packages' >&2
	npm_run ci --no-audit --no-fund --loglevel=error >&2
	touch node_modules/.package-lock.json
fi
case ${1-} in
build)
	if changed; then
		echo 'ui: building the control room' >&2
		npm_run run --silent build >&2
		touch "$stamp"
	fi
	;;
check)
	npm_run run --silent --if-present check
	npm_run run --silent --if-present test
	;;
*)
	echo 'usage: scripts/ui.sh build|check' >&2
	exit 2
	;;
esac

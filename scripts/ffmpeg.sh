#!/usr/bin/env bash
# Provides FFmpeg 7.1 and prints the environment in which cgo finds it, as `export` lines for eval.
#
#   eval "$(scripts/ffmpeg.sh)"            use it, build it first where it is not there yet
#   scripts/ffmpeg.sh --installed          the same, but fail instead of building
#
# In this order: MILLRACE_FFMPEG=PREFIX, the distribution's own (libavcodec 61.x), the build in the cache, a new build.
# Standard output carries nothing but the environment; progress and errors go to standard error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/ffmpeg-options.sh
. "$here/ffmpeg-options.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/millrace
options_hash=$(printf '%s\n' "${ffmpeg_options[@]}" | sha256sum | cut -c1-12)

die() { printf 'ffmpeg: %s\n' "$*" >&2; exit 1; }

# environment PREFIX PKGCONFIG_DIR: how cgo compiles against a prefix and how the binary finds its libraries again.
environment() {
	local libdir
	libdir=$(PKG_CONFIG_PATH=$2 pkg-config --variable=libdir libavcodec)
	printf 'export PKG_CONFIG_PATH="%s${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"\n' "$2"
	printf 'export CGO_CFLAGS="-g -O2 -I%s/include"\n' "$1"
	printf 'export CGO_LDFLAGS="-g -O2 -L%s -Wl,-rpath,%s"\n' "$libdir" "$libdir"
}

# is_71 [PKGCONFIG_DIR]: whether pkg-config finds the libavcodec of FFmpeg 7.x there, and every library that go-astiav links.
is_71() {
	local version
	version=$(PKG_CONFIG_PATH=${1-${PKG_CONFIG_PATH-}} pkg-config --modversion libavcodec 2>/dev/null) || return 1
	case $version in 61.*) ;; *) return 1 ;; esac
	PKG_CONFIG_PATH=${1-${PKG_CONFIG_PATH-}} pkg-config --exists "${ffmpeg_libraries[@]}"
}

command -v pkg-config >/dev/null || die 'pkg-config is missing; scripts/packages.sh build names what to install'

if [ -n "${MILLRACE_FFMPEG-}" ]; then
	pc=$(find "$MILLRACE_FFMPEG/" -name libavcodec.pc -printf '%h\n' -quit 2>/dev/null) || true
	[ -n "$pc" ] || die "MILLRACE_FFMPEG=$MILLRACE_FFMPEG has no libavcodec.pc below it"
	is_71 "$pc" || die "MILLRACE_FFMPEG=$MILLRACE_FFMPEG is not a whole FFmpeg 7.1 (libavcodec 61.x with ${ffmpeg_libraries[*]})"
	environment "$MILLRACE_FFMPEG" "$pc"
	exit 0
fi

if is_71; then # the distribution's, or one that the caller's PKG_CONFIG_PATH names
	case $(pkg-config --variable=libdir libavcodec) in
	/usr/lib*) ;;
	*) environment "$(pkg-config --variable=prefix libavcodec)" "$(pkg-config --variable=pcfiledir libavcodec)" ;;
	esac
	exit 0
fi

# newest prints the newest finished build with these options; builds are renamed into place, so what is there is whole.
newest() { find "$cache" -maxdepth 1 -type d -name "ffmpeg-7.1*-$options_hash" 2>/dev/null | sort -V | tail -n 1; }

prefix=$(newest)
if [ -z "$prefix" ]; then
	[ "${1-}" != --installed ] || die 'FFmpeg 7.1 is not built yet: run make build'
	mkdir -p "$cache"
	exec 9>"$cache/ffmpeg.lock"
	flock -n 9 || { echo 'ffmpeg: another build is going on, waiting for it' >&2; flock 9; }
	prefix=$(newest)
	if [ -z "$prefix" ]; then
		"$here/ffmpeg-build.sh" "$cache" "$options_hash" 9>&-
		prefix=$(newest)
		[ -n "$prefix" ] || die "the build left nothing in $cache"
	fi
fi
is_71 "$prefix/lib/pkgconfig" || die "$prefix is damaged: remove it and run this again"
environment "$prefix" "$prefix/lib/pkgconfig"

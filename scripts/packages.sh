#!/usr/bin/env bash
# Installs the Debian and Ubuntu packages that are missing: as root with apt, else it names the one command that does.
#
#   scripts/packages.sh build        compilers and libraries: nothing works without them
#   scripts/packages.sh ui           node and npm: without them the control room stays the one in the tree
#   scripts/packages.sh test         ffmpeg, a browser, and the kernels' compiler: what needs them is skipped without
#   scripts/packages.sh kernels      the kernels' compiler alone
#
# Fails only where `build` stays incomplete.
set -eu
group=${1-}
missing=()

# want PACKAGE COMMAND...: the package is missing when the command fails.
want() {
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}
tool() { command -v "$1"; }
lib() { pkg-config --exists "$1"; }
header() { echo "#include <$1>" | gcc -E -o /dev/null -; }
# offers_71: whether the distribution's own FFmpeg is 7.1, so that its development packages are all we need.
offers_71() { apt-cache policy libavcodec-dev 2>/dev/null | grep -qE '^ *Candidate: ([0-9]+:)?7\.1'; }
is_debian() { grep -qx 'ID=debian' /etc/os-release; }

ffmpeg_packages() {
	local name
	if [ -n "${MILLRACE_FFMPEG-}" ] || "$(dirname "$0")/ffmpeg.sh" --installed >/dev/null 2>&1; then
		return
	fi
	if offers_71; then
		for name in avcodec avdevice avfilter avformat avutil swresample swscale; do
			want "lib$name-dev" lib "lib$name"
		done
		return
	fi
	want nasm tool nasm
	want make tool make
	want dpkg-dev tool dpkg-source
	want debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
	want libx264-dev lib x264
	want libdav1d-dev lib dav1d
	want zlib1g-dev lib zlib
}

build_packages() {
	want gcc tool gcc
	want libc6-dev header stdio.h
	want pkg-config tool pkg-config
	want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
	want libyuv-dev header libyuv.h
	want libsrt-openssl-dev lib srt
	want libopus-dev lib opus
	ffmpeg_packages
}

ui_packages() {
	want nodejs tool node
	want npm tool npm
}

test_packages() {
	want ffmpeg tool ffmpeg
	want libxml2-utils tool xmllint
	# Ubuntu's package of this name only points to a snap.
	if is_debian; then want chromium tool chromium; fi
	# Where there is another clang only, the embedded PTX is taken as it is.
	if apt-cache policy clang-14 2>/dev/null | grep -qE '^ *Candidate: [0-9]'; then kernels_packages; fi
}

kernels_packages() {
	want clang-14 tool clang-14
}

check_go() {
	local wanted
	wanted=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$(dirname "$0")/../go.mod")
	command -v go >/dev/null && return
	echo "Go is missing: install Go $wanted or newer (https://go.dev/dl) and put its bin directory on PATH" >&2
	exit 1
}

# install updates apt's lists, looks again (a new list may offer what the old one did not) and installs.
install() {
	local log
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	echo "packages: installing ${missing[*]}" >&2
	apt-get update </dev/null >"$log" 2>&1 || true
	missing=()
	"${group}_packages"
	if apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	tail -n 12 "$log" >&2
	echo "packages: apt failed; its whole output is $log" >&2
	return 1
}

case $group in
build) check_go ;;
ui | test | kernels) ;;
*)
	echo "usage: scripts/packages.sh build|ui|test|kernels" >&2
	exit 2
	;;
esac
"${group}_packages"
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	if install; then exit 0; fi
else
	echo "packages: missing ${missing[*]}; install with:" >&2
	echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
fi
[ "$group" != build ] || exit 1

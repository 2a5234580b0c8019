#!/usr/bin/env bash
# Builds the newest FFmpeg 7.1.x of Debian trixie into CACHE/ffmpeg-VERSION-OPTIONS. Called by ffmpeg.sh, which holds the lock.
#
# apt fetches the source and NVIDIA's codec headers with a configuration of its own: the machine's mirror and proxy settings, a private
# state directory (so no root and no change of the machine), and the Debian archive key. apt checks the signature of the index and
# the hash of every file against it; dpkg-source applies Debian's patches.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/ffmpeg-options.sh
. "$here/ffmpeg-options.sh"
cache=$1
options_hash=$2

default_mirror=http://deb.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
log=$cache/ffmpeg-build.log
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
: >"$log"

say() { printf 'ffmpeg: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# step SENTENCE COMMAND...: announces, runs into the log, and on failure shows the log's end and its name.
step() {
	say "$1"
	shift
	"$@" >>"$log" 2>&1 && return
	tail -n 12 "$log" >&2
	die "failed; the whole log is $log"
}

# mirror prints the Debian mirror that this machine is configured with, or Debian's default.
mirror() {
	# shellcheck source=/dev/null
	. /etc/os-release
	local uri=
	if [ "${ID-}" = debian ] && [ -n "${VERSION_CODENAME-}" ]; then
		uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
			awk -v release="$VERSION_CODENAME" '$1 == release { print $2; exit }') || true
	fi
	printf '%s\n' "${uri:-$default_mirror}"
}

# apt_private writes the configuration under which apt_get runs.
apt_private() {
	mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/apt/empty"
	: >"$work/apt/status"
	printf 'deb [signed-by=%s] %s trixie main\ndeb-src [signed-by=%s] %s trixie main\n' \
		"$keyring" "$1" "$keyring" "$1" >"$work/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(http|https|Check-|Force|Retries)' >"$work/apt/apt.conf" || true
	cat >>"$work/apt/apt.conf" <<-CONF
		Acquire::Languages "none";
		Acquire::AllowInsecureRepositories "0";
		APT::Sandbox::User "root";
		APT::Get::AllowUnauthenticated "0";
		Dir::Etc::sourcelist "$work/apt/sources.list";
		Dir::Etc::sourceparts "$work/apt/empty";
		Dir::Etc::preferences "$work/apt/none";
		Dir::Etc::preferencesparts "$work/apt/empty";
		Dir::State "$work/apt";
		Dir::State::status "$work/apt/status";
		Dir::State::lists "$work/apt/lists";
		Dir::Cache "$work/apt";
		Dir::Cache::archives "$work/apt/archives";
	CONF
	# Read in place of the machine's own files, so that its update hooks do not run.
	printf 'Dir::Etc::main "%s";\nDir::Etc::parts "%s";\n' "$work/apt/apt.conf" "$work/apt/empty" >"$work/apt/first.conf"
}

apt_get() { (cd "$work/src" && APT_CONFIG=$work/apt/first.conf apt-get -q -y -o APT::Update::Error-Mode=any "$@"); }

# progress TOTAL: passes make's output to the log and counts the compiled files: one line that moves on a terminal, else every quarter.
progress() {
	local tty=0
	[ -t 2 ] && tty=1
	awk -v total="$1" -v tty=$tty -v log_file="$log" '
		{ print >> log_file }
		/^(CC|X86ASM)\t/ {
			done++
			percent = total ? int(100 * done / total) : 0
			if (tty) printf "\rffmpeg: compiling %d of %d files (%d%%)", done, total, percent > "/dev/stderr"
			else if (percent >= shown + 25 && percent < 100) { shown += 25; printf "ffmpeg: compiled %d%%\n", percent > "/dev/stderr" }
		}
		END { if (tty) print "" > "/dev/stderr" }'
}

for tool in apt-get dpkg-source dpkg gcc make nasm flock; do
	command -v "$tool" >/dev/null || die "$tool is missing; scripts/packages.sh build names what to install"
done
[ -e "$keyring" ] || die "$keyring is missing (package debian-archive-keyring); scripts/packages.sh build names what to install"

mkdir -p "$work/src"
uri=$(mirror)
apt_private "$uri"
step "reading the index of Debian trixie from $uri" apt_get update
step 'fetching the source package' apt_get source --download-only ffmpeg
step "fetching NVIDIA's codec headers" apt_get download libffmpeg-nvenc-dev

dsc=$(find "$work/src" -name 'ffmpeg_*.dsc')
version=$(sed -n 's/^Version: *\([0-9]*:\)\{0,1\}\([0-9.]*\).*/\2/p' "$dsc" | head -n 1)
case $version in 7.1 | 7.1.*) ;; *) die "trixie's source package is FFmpeg '$version', wanted 7.1.x" ;; esac

# The index vouched for the hashes of these files, so the source's own signature needs no second key.
step "unpacking FFmpeg $version" dpkg-source --no-check -x "$dsc" "$work/ffmpeg"
step 'unpacking the codec headers' dpkg -x "$(find "$work/src" -name 'libffmpeg-nvenc-dev_*.deb')" "$work/nvenc"

prefix=$cache/ffmpeg-$version-$options_hash
cd "$work/ffmpeg"
nv=$(find "$work/nvenc" -name ffnvcodec.pc -printf '%h' -quit)
sed -i "s|^prefix=.*|prefix=$work/nvenc/usr|" "$nv/ffnvcodec.pc"
export PKG_CONFIG_PATH="$nv${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
step 'configuring' ./configure --prefix="$prefix" "${ffmpeg_options[@]}"

total=$(make -n 2>/dev/null | grep -cE '^printf.*(CC|X86ASM)') || total=0
say "compiling $total files on $(nproc) cores (a few minutes, once)"
set -o pipefail
make -j"$(nproc)" 2>&1 | progress "$total" || { tail -n 12 "$log" >&2; die "compiling failed; the whole log is $log"; }
step 'installing' make install DESTDIR="$work/root"
printf '%s\n' "${ffmpeg_options[@]}" >"$work/root$prefix/options"
mv -T "$work/root$prefix" "$prefix"
say "FFmpeg $version is in $prefix"

#!/bin/sh
# Sets up a clone of Copal.
#
#   ./autogen.sh                        only generates configure
#   ./autogen.sh run [-b HOST:PORT] [copald's options]
#       builds, and runs Copal on 127.0.0.1:8080 in front of that origin, or
#       of a small demo origin.  Ctrl-C stops it; the cache stays in build/run.
#   ./autogen.sh check [configure's options]
#       builds with these options and runs every test
#
# run and check first install what is missing (Debian, with sudo if need be).
# Everything that is made goes to build/.  Quiet unless something fails.

set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="autoconf automake gcc libc6-dev make pkg-config libbrotli-dev
	libc-ares-dev libedit-dev liblmdb-dev libncurses-dev libpcre2-dev libssl-dev
	liburing-dev libxxhash-dev libzstd-dev zlib1g-dev"
RUN_PACKAGES="python3"
CHECK_PACKAGES="curl libcunit1-dev python3 python3-pytest python3-pytest-xdist"
CLANG_PACKAGES="clang libclang-rt-dev" # for CC=clang and --enable-fuzz

mkdir -p build
log=$PWD/build/autogen.log

die() {
	echo "autogen.sh: $*" >&2
	exit 1
}

# quietly WHAT COMMAND...: its output is shown only if it fails
quietly() {
	what=$1
	shift
	echo "$what ..."
	"$@" >"$log" 2>&1 </dev/null && return
	tail -n 40 "$log" >&2
	die "$what failed; all of it is in $log"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# need PACKAGE...: installs those that are not there
need() {
	missing=
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null ||
		die "needs (by Debian's names):$missing"
	[ "$(id -u)" -eq 0 ] || sudo -v || die "needs sudo to install:$missing"
	quietly "Updating the list of packages" as_root apt-get -q update
	quietly "Installing$missing" as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y install --no-install-recommends $missing
}

# varnishtest runs the scenarios.  Installing its package would start a
# Varnish on this machine, so it is only unpacked, to build/tools.
unpack_varnishtest() {
	rm -rf build/tools.new && mkdir -p build/tools.new && (
		cd build/tools.new
		library=$(apt-cache depends varnish |
			sed -n 's/.*Depends: \(libvarnishapi[0-9]*\).*/\1/p')
		apt-get -q download varnish $library
		for package in *.deb; do
			dpkg-deb -x "$package" .
		done
		rm -f -- *.deb
	) && mv build/tools.new build/tools
}

need_varnishtest() {
	[ ! -x build/tools/usr/bin/varnishtest ] || return 0
	command -v apt-get >/dev/null || return 0
	apt-cache show varnish >/dev/null 2>&1 ||
		quietly "Updating the list of packages" as_root apt-get -q update
	quietly "Unpacking varnishtest" unpack_varnishtest
}

# The differential test wants a real server; its package would start one.
unpack_nginx() (
	set -e
	rm -rf build/nginx.new && mkdir -p build/nginx.new build/tools/usr/sbin
	cd build/nginx.new
	apt-get -q download nginx
	dpkg-deb -x nginx_*.deb .
	mv usr/sbin/nginx ../tools/usr/sbin/nginx
	cd .. && rm -rf nginx.new
)

need_nginx() {
	[ ! -x build/tools/usr/sbin/nginx ] || return 0
	! PATH=$PATH:/usr/sbin command -v nginx >/dev/null || return 0
	command -v apt-get >/dev/null || return 0
	unpack_nginx >/dev/null 2>&1 ||
		echo "No nginx to be had: the test against it is left out." >&2
}

generate() {
	mkdir -p build/aux # where configure.ac has the auxiliary files
	autoreconf -i
}

# build FOLDER [configure's options]
build() {
	folder=build/$1
	shift
	[ -x configure ] && [ -x build/aux/install-sh ] ||
		quietly "Generating configure" generate
	if [ ! -f "$folder/Makefile" ]; then
		mkdir -p "$folder"
		(cd "$folder" && quietly "Configuring $folder" \
			../../configure --enable-silent-rules "$@")
	fi
	quietly "Building $folder" make -C "$folder" -j"$(nproc)" all
}

# ------------------------------------------------------------------- run

ADDRESS=127.0.0.1:8080
DEMO=127.0.0.1:8081

say_what_to_try() {
	adm="build/out/bin/copaladm/copaladm -n $PWD/build/run"
	echo
	echo "Copal on http://$ADDRESS/ in front of ${origin:-your VCL}. Try:"
	echo
	if [ "$origin" = "$DEMO" ]; then
		cat <<-TRY
		  curl -i http://$ADDRESS/              twice: the second is a hit
		  curl -i http://$ADDRESS/slow          2 s at the origin; then a hit
		  curl -r 0-99 http://$ADDRESS/large    100 MB
		  curl -i http://$ADDRESS/image.png
		TRY
	else
		echo "  curl -i http://$ADDRESS/              twice: the second is a hit"
	fi
	cat <<-TRY
	  $adm status
	  $adm ban req.url '~' .      the next is a miss again
	  build/out/bin/copallog/copallog -n $PWD/build/run     what happens, request by request
	  build/out/bin/copalstat/copalstat -n $PWD/build/run   counters

	Ctrl-C stops it. Start it again: the cache is still warm.

	TRY
}

# Sets the default of each option that is not among the given ones.
run() {
	origin=$DEMO has_a= has_n= is_b= 
	for word; do
		case $is_b$word in
		-b) is_b=yes; continue ;;
		yes*) origin=$word ;;
		-b?*) origin=${word#-b} ;;
		-f*) origin= ;;
		-a*) has_a=yes ;;
		-n*) has_n=yes ;;
		esac
		is_b=
	done
	need $BUILD_PACKAGES $RUN_PACKAGES
	build out
	mkdir -p build/run
	[ -n "$has_a" ] || set -- -a "$ADDRESS" "$@"
	[ -n "$has_n" ] || set -- -n "$PWD/build/run" "$@"
	# A worker that gave up root must still reach its cache.
	if [ "$(id -u)" -eq 0 ] &&
	    ! runuser -u nobody -- test -x "$PWD/build/run"; then
		set -- -j none "$@"
	fi
	if [ "$origin" = "$DEMO" ]; then
		set -- -b "$DEMO" "$@"
		python3 tests/demo/origin.py "$DEMO" &
		demo=$!
		trap 'kill $demo 2>/dev/null' EXIT
		sleep 0.3
		kill -0 $demo 2>/dev/null || die "the demo origin did not start"
	fi
	say_what_to_try
	trap : INT TERM # copald and the demo stop; then we do
	status=0
	build/out/bin/copald/copald -F "$@" || status=$?
	exit $status
}

# ----------------------------------------------------------------- check

# KINDS="unit scenario" leaves out the others.
check() {
	need $BUILD_PACKAGES $CHECK_PACKAGES
	case "$*" in *CC=clang*) need $CLANG_PACKAGES ;; esac
	need_varnishtest
	need_nginx
	out=out$(printf ' %s' "$@" | sed 's/--enable-//g; s/--with-//g' |
		tr -cs 'A-Za-z0-9=,' - | sed 's/-$//')
	build "$out" "$@"
	quietly "Building the tests" make -C "build/$out" -j"$(nproc)" \
		check-programs
	make -s --no-print-directory -C "build/$out" check-local \
		${KINDS:+TEST_KINDS="$KINDS"}
}

case ${1-} in
'') generate ;;
run | check) "$@" ;;
*) die "usage: ./autogen.sh [run [-b host:port] [copald options] | check [configure options]]" ;;
esac

#!/bin/sh
# Runs fuzz targets over their corpora.
#
#   run.sh CORPORA SECONDS TARGET...
#
# SECONDS 0: each corpus file once (make check).  Else each target looks for
# new inputs that long (libFuzzer builds only, make fuzz); what it finds goes
# to the folder fuzz-found/NOUN here, a crash to fuzz-found/NOUN-*.
# Prints the output of targets that fail, then how many passed and failed.

corpora=$1 seconds=$2
shift 2
passed=0 failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for target; do
	noun=${target##*/fuzz_}
	set --
	if [ "$seconds" -gt 0 ]; then
		mkdir -p "fuzz-found/$noun"
		set -- -max_total_time="$seconds" -timeout=10 \
		    -artifact_prefix="fuzz-found/$noun-" "fuzz-found/$noun"
	else
		set -- -runs=0
	fi
	if "$target" "$@" "$corpora/$noun" >"$log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $target $* $corpora/$noun"
		tail -n 60 "$log"
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

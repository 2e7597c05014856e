#!/bin/sh
# eventually.sh <<'END': runs the commands of its input until none of them
# fails, at most 20 s.
#
# For the log and the counters: what a request leaves there is seen a moment
# after its client has the response.

commands=$(cat)
for try in $(seq 200); do
	sh -ec "$commands" && exit
	sleep 0.1
done
echo "in vain: $commands"
exit 1

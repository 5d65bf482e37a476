#!/usr/bin/env bash
# Starts a program ($1), waits for a window titled Visavis that has drawn something, keeps a picture of it ($2) and ends
# the program. Runs on the display that it is given.
set -euo pipefail
mkdir -p "$(dirname "$2")"
$1 &
app=$!
trap 'kill $app 2>/dev/null || true; wait $app 2>/dev/null || true' EXIT
for _ in $(seq 60); do
  sleep 0.5
  kill -0 $app
  xdotool search --name '^Visavis' >/dev/null 2>&1 || continue
  import -silent -window root "$2"
  # An empty window has a few colours, the start screen has hundreds.
  [ "$(identify -format %k "$2")" -lt 100 ] || exit 0
done
echo "no window came up" >&2
exit 1

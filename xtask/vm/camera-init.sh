#!/bin/busybox sh
# The only program of the virtual machine that ./dev camera starts: plugs a camera in by loading the kernel's `vivid`,
# runs the tests of crates/device/src/real/camera/vivid.rs one by one and a whole call with that camera, and switches the
# machine off.
/bin/busybox mkdir -p /proc /sys /dev /tmp /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root RUST_BACKTRACE=0
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
# The kernel's own messages would stand among the results.
dmesg -n 1
uname -sr

failed=0
# try "what for" TEST [USER]
try() {
  echo "- $1"
  command="/camera-test --ignored --exact real::camera::vivid::$2 --test-threads 1 --nocapture"
  if timeout 60 su "${3:-root}" -s /bin/sh -c "$command" >/tmp/out 2>&1 &&
    grep -q '1 passed' /tmp/out; then
    grep '^    ' /tmp/out
    echo "  pass"
  else
    cat /tmp/out
    echo "  FAIL"
    failed=$((failed + 1))
  fi
}

# Pictures decoded in each second, by the one who sees the camera's.
rates() {
  sed -n 's/.*"inbound":{[^}]*"framesPerSecond":\([0-9]*\).*/\1/p' /tmp/joiner | tr '\n' ' '
}

# Waits for two seconds in a row with "some" pictures, or with "none".
await() {
  for _ in $(seq 60); do
    sleep 1
    rates | tr ' ' '\n' | grep . | tail -n 2 | awk -v want="$1" '
      { lines++; if (($1 >= 3) != (want == "some")) wrong = 1 }
      END { exit wrong || lines < 2 }' && return
  done
  return 1
}

# Two peers over a server; one has the camera, which is pulled out for six seconds. Nobody presses anything.
whole_call() {
  echo "- a call, its camera pulled out for six seconds"
  ip link set lo up
  server=ws://127.0.0.1:7880
  /visavis-server --listen 127.0.0.1:7880 >/tmp/server 2>&1 &
  sleep 2
  /visavis-cli create --server $server --camera default --mic none --speaker none --json >/tmp/creator 2>&1 &
  code=
  for _ in $(seq 20); do
    code=$(sed -n 's/.*"code":"\([^"]*\)".*/\1/p' /tmp/creator | head -n 1)
    [ -z "$code" ] || break
    sleep 1
  done
  /visavis-cli join "$code" --server $server --camera none --mic none --speaker none --json >/tmp/joiner 2>&1 &
  joiner=$!
  result=FAIL
  # vivid comes back when nobody holds it any more, so somebody has to.
  await some && { v4l2-ctl -d 0 --sleep 8 >/dev/null 2>&1 & } && sleep 2 && v4l2-ctl -d 0 -c disconnect=1 &&
    await none && await some && result=pass
  kill $joiner
  wait $joiner 2>/dev/null
  echo "    pictures in each second: $(rates)"
  grep -oE '"camera":[^,]*,"event":"local-media"|"event":"device-lost".*' /tmp/creator | sed 's/^/    /' | uniq
  echo "  $result"
  [ $result = pass ] && return
  tail -n 5 /tmp/creator /tmp/joiner /tmp/server
  failed=$((failed + 1))
}

try "no camera" a1_no_camera_at_all
/vivid.sh plug || { echo "vivid can't be loaded" && failed=1; }
v4l2-ctl -d 0 --list-formats | grep -cE "'(YUYV|NV12|MJPG)'" | sed 's/^/- pixel formats of ours that the camera has: /'
try "the format asked for, order, colours" b1_exactly_what_is_asked_for_comes_in_order_and_in_colour
try "each pixel format" b2_every_pixel_format_shows_the_same_bars
try "a format that it hasn't" b3_a_camera_without_the_format_gives_the_best_that_it_has
try "busy: another program" c1_busy_with_another_program
try "busy: this program; hot swap" c2_busy_with_ourselves_and_free_at_once_when_closed
chmod 600 /dev/video0
try "refused" d1_refused_by_the_system nobody
try "no more pictures" e1_a_camera_that_stops_giving_pictures_is_let_go
try "closed while it hangs" e2_a_camera_closed_while_it_hangs_is_let_go
try "unplugged, plugged in again" f1_unplugged_and_plugged_in_again
chmod 666 /dev/video0
whole_call
[ "$failed" -eq 0 ] && echo "camera: all passed" || echo "camera: $failed failed"
sync
reboot -f

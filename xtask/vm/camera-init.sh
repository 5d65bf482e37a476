#!/bin/busybox sh
# The only program of the virtual machine that ./dev camera starts: plugs a camera in by loading the kernel's `vivid`,
# runs the tests of crates/device/src/real/camera/vivid.rs one by one, and switches the machine off.
/bin/busybox mkdir -p /proc /sys /dev /tmp /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root RUST_BACKTRACE=0
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
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
[ "$failed" -eq 0 ] && echo "camera: all passed" || echo "camera: $failed failed"
sync
reboot -f

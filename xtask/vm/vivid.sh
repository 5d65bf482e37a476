#!/bin/sh
# Plugs the virtual machine's camera in, or pulls it out: ./vivid.sh plug|unplug
case $1 in
  plug)
    while read -r module; do
      [ -d "/sys/module/$(basename "$module" .ko | tr - _)" ] || insmod "/modules/$module" || exit 1
    done </modules/order
    insmod /modules/vivid.ko n_devs=1 node_types=0x1 input_types=0x00 multiplanar=1 || exit 1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ ! -e /dev/video0 ] || exit 0
      sleep 0.2
    done
    exit 1
    ;;
  unplug) rmmod vivid ;;
esac

# shellcheck shell=bash
# ./dev camera: the camera code against a real V4L2 device, on a machine that needs none. A Debian kernel runs in an
# emulator, with its own test camera (`vivid`), the tests of crates/device/src/real/camera/vivid.rs and a call. Nothing is
# installed but the emulator and the tools that fill its memory; the kernel is only unpacked. Sourced by ./dev.

readonly VM=$PWD/target/camera-vm
readonly VM_SECONDS=600
readonly PROGRAMS=${CARGO_TARGET_DIR:-$PWD/target}/debug

# A kernel with its modules, unpacked under target/, and its version in KERNEL.
need_kernel() {
  local package
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$package" ] || give_up "linux-image-amd64 is not among this system's packages."
  KERNEL=${package#linux-image-}
  if [ ! -e "$VM/kernel/boot/vmlinuz-$KERNEL" ]; then
    say "bringing Debian's kernel $KERNEL into target/camera-vm (once, 70 MB)"
    rm -rf "$VM/kernel"
    unpack_deb "$VM/kernel" "$package" || give_up "$package could not be downloaded."
    rm -rf "$VM/kernel/debs"
  fi
  depmod -b "$VM/kernel" "$KERNEL"
}

# put_program FOLDER PROGRAM NAME: the program under that name in FOLDER, and its libraries where it looks for them.
put_program() {
  local library
  strip -o "$1/$3" "$2"
  ldd "$2" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$1$(dirname "$library")"
    cp -Lu "$library" "$1$library"
  done
}

# The modules in the order in which they must be loaded, vivid last.
put_modules() {
  local path
  mkdir -p "$1/modules"
  modprobe --dirname "$VM/kernel" --set-version "$KERNEL" --show-depends vivid | sed -n 's/^insmod \([^ ]*\).*/\1/p' |
    while read -r path; do
      cp "$path" "$1/modules/"
      basename "$path"
    done >"$1/modules/all"
  grep -v '^vivid.ko' "$1/modules/all" >"$1/modules/order"
}

# The tests of crates/device as a program. Its path is told by cargo.
build_camera_test() {
  cargo test -p visavis-device --lib --no-run --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

make_initramfs() {
  local root=$VM/root
  rm -rf "$root"
  mkdir -p "$root/bin" "$root/etc"
  cp "$(command -v busybox)" "$root/bin/busybox"
  install -m 755 xtask/vm/camera-init.sh "$root/init"
  install -m 755 xtask/vm/vivid.sh "$root/vivid.sh"
  printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\n' >"$root/etc/group"
  put_program "$root" "$1" camera-test
  put_program "$root" "$PROGRAMS/visavis-cli" visavis-cli
  put_program "$root" "$PROGRAMS/visavis-server" visavis-server
  put_program "$root" "$(command -v v4l2-ctl)" bin/v4l2-ctl
  put_modules "$root"
  (cd "$root" && find . -print0 | cpio --null --create --format=newc --quiet | gzip -1) >"$VM/initramfs.gz"
}

cmd_camera() {
  local program
  [ "$(system_family)" = debian ] || give_up "./dev camera needs Debian's kernel package; this is another system."
  need build
  need_packages camera
  need_kernel
  program=$(build_camera_test)
  [ -n "$program" ] || give_up "The tests of crates/device don't build."
  cargo build -p visavis-peer -p visavis-server
  make_initramfs "$program"
  say "starting a machine with a camera (its output is kept in target/camera-vm/output.txt)"
  timeout "$VM_SECONDS" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nographic -nodefaults \
    -serial stdio -no-reboot -kernel "$VM/kernel/boot/vmlinuz-$KERNEL" -initrd "$VM/initramfs.gz" \
    -append "console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable nokaslr" </dev/null 2>&1 |
    sed -u -e 's/\r//g' -e 's/\x1b[^A-Za-z]*[A-Za-z]//g' -e '/SeaBIOS\|^Booting/d' | tee "$VM/output.txt"
  grep -q '^camera: all passed' "$VM/output.txt"
}

# shellcheck shell=bash
# ./dev check --all-targets: Visavis type-checked for Windows and macOS on a machine that is neither. Nothing is linked,
# and for macOS no C is compiled, so this finds what the compiler of Rust finds under each `cfg`, and no more.
#
# Rust's library for those systems comes from rustup where its targets are installed, and is built from source with
# Debian's own compiler (rustc-web) otherwise. Sourced by ./dev after setup.sh.

readonly TARGETS="x86_64-pc-windows-gnu aarch64-apple-darwin"
readonly ALL_TARGETS=$PWD/target/all-targets
readonly STUBS=$ALL_TARGETS/stubs
# Compiler, its library in binary form and as source: unpacked, never installed, since they would replace rustup's.
readonly RUST_WEB="rustc-web cargo-web rust-web-src libstd-rust-web-dev"

# Programs that do nothing, where Apple's would have to be: whatever they are told to write, they leave empty. Only xcrun
# is ever looked for by its name alone; this system's own compiler must stay what `cc` means.
make_stubs() {
  mkdir -p "$STUBS/bin"
  cat >"$STUBS/cc" <<'STUB'
#!/usr/bin/env bash
# A compiler or archiver that leaves an empty file wherever one is asked for.
archive=
case $* in *--version* | *-dumpversion*) echo "clang version 17.0.0" ;; esac
while [ $# -gt 0 ]; do
  case $1 in
    -o) shift && : >"$1" ;;
    *.a) [ -n "$archive" ] || { archive=$1 && : >"$1"; } ;;
  esac
  shift
done
STUB
  printf '#!/bin/sh\necho "%s/sdk"\n' "$STUBS" >"$STUBS/bin/xcrun"
  printf '#!/bin/sh\ncase $* in *--version*) echo "cmake version 3.31.0" ;; esac\n' >"$STUBS/cmake"
  cp "$STUBS/cc" "$STUBS/ar"
  mkdir -p "$STUBS/sdk"
  chmod +x "$STUBS"/cc "$STUBS"/ar "$STUBS"/bin/xcrun "$STUBS"/cmake
}

# Whether rustup, or whoever brought this compiler, brought that target's library too.
has_target() {
  [ -n "$(find "$(rustc --print target-libdir --target "$1" 2>/dev/null)" -name 'libstd-*' 2>/dev/null)" ]
}

# unpack_deb FOLDER PACKAGE...: brings packages into a folder without installing them.
unpack_deb() {
  local folder=$1 deb
  shift
  mkdir -p "$folder/debs"
  (cd "$folder/debs" && apt-get download -qq "$@") || return 1
  for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder" || return 1; done
}

# The shared libraries that unpacked packages want, installed: these replace nothing.
install_libraries() {
  local folder=$1 deb names missing
  names=$(for deb in "$folder"/debs/*.deb; do dpkg-deb -f "$deb" Depends; done |
    tr ',' '\n' | sed -n 's/^ *\(lib[^ (|]*\).*/\1/p' | grep -vE '^libstd-rust|^libc' | sort -u)
  # shellcheck disable=SC2086 # a list of names
  missing=$(missing_packages debian $names | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "installing ${missing% } (for Debian's Rust compiler)"
  # shellcheck disable=SC2086 # a list of names
  install_packages debian $missing </dev/null >"$folder/install.log" 2>&1
}

# Debian's compiler with the source of its library, in $ALL_TARGETS/debian.
need_rust_web() {
  local folder=$ALL_TARGETS/debian
  [ ! -e "$folder/complete" ] || return 0
  apt-cache show rustc-web >/dev/null 2>&1 || return 1
  say "bringing Debian's Rust compiler and its library's source into target/all-targets (once, 130 MB)"
  rm -rf "$folder"
  # shellcheck disable=SC2086 # a list of names
  unpack_deb "$folder" $RUST_WEB "$(apt-cache depends libstd-rust-web-dev | sed -n 's/^ *Depends: //p')" || return 1
  install_libraries "$folder" || return 1
  rm -rf "$folder/debs"
  touch "$folder/complete"
}

# Sets CHECK to the command that checks, or gives up with what is missing.
choose_compiler() {
  local target missing=
  for target in $TARGETS; do has_target "$target" || missing="$missing $target"; done
  if [ -z "$missing" ]; then
    say "checking with $(rustc --version) and its installed targets"
    CHECK="cargo check"
  elif need_rust_web; then
    local bin=$ALL_TARGETS/debian/usr/bin libraries
    # Where nothing is installed the loader has to be told where its own libraries are.
    libraries=$(find "$ALL_TARGETS/debian/usr/lib" -name 'librustc_driver-*.so' -exec dirname {} \; | head -n 1)
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    say "checking with Debian's $("$bin/rustc" --version)"
    export RUSTC=$bin/rustc RUSTC_BOOTSTRAP=1
    CHECK="$bin/cargo check -Zbuild-std=std,panic_unwind,panic_abort,proc_macro"
  elif command -v rustup >/dev/null 2>&1; then
    say "adding$missing to the installed Rust"
    # shellcheck disable=SC2086 # a list of names
    rustup target add $missing </dev/null || give_up "rustup could not add$missing."
    CHECK="cargo check"
  else
    give_up "Neither Debian's rustc-web nor rustup is to be had here; the targets$missing need one of them."
  fi
}

# Mingw's compiler builds the C of the Windows targets; without it that is left out, as it always is for macOS.
stub_compilers() {
  local name=${1//-/_}
  case $1 in
    *windows*) ! command -v x86_64-w64-mingw32-g++ >/dev/null 2>&1 || return 0 ;;
    *) export SDKROOT=$STUBS/sdk ;;
  esac
  export "CC_$name=$STUBS/cc" "CXX_$name=$STUBS/cc" "AR_$name=$STUBS/ar" "RANLIB_$name=$STUBS/ar" "CMAKE_$name=$STUBS/cmake"
  PATH=$STUBS/bin:$PATH
}

# Warnings in our own crates fail the check, as they do for clippy on this system.
check_target() {
  local log=$ALL_TARGETS/$1.log
  stub_compilers "$1"
  # shellcheck disable=SC2086 # a command and its arguments
  CARGO_TERM_COLOR=never CARGO_TARGET_DIR=$ALL_TARGETS \
    $CHECK --target "$1" -p visavis -p visavis-peer -p visavis-server >"$log" 2>&1 </dev/null || return 1
  ! grep -q '^warning: `visavis.*generated' "$log"
}

check_all_targets() {
  local target begin rows='' failed=
  need desktop
  build_ui
  make_stubs
  choose_compiler
  need_packages targets
  for target in $TARGETS; do
    begin=$SECONDS
    if (check_target "$target"); then
      rows="$rows$(printf '| %-22s | pass   | %7d |' "$target" $((SECONDS - begin)))"$'\n'
    else
      rows="$rows$(printf '| %-22s | FAIL   | %7d |' "$target" $((SECONDS - begin)))"$'\n'
      failed="$failed $target"
      grep -nE -A 14 '^(error|warning)' "$ALL_TARGETS/$target.log" | tail -n 120
      echo "--- whole: target/all-targets/$target.log"
    fi
  done
  printf '\n| target                 | result | seconds |\n| ---------------------- | ------ | ------- |\n%s' "$rows"
  [ -z "$failed" ] || { echo "failed:$failed" && return 1; }
  echo "the app, the peer and the server type-check for: $TARGETS"
}

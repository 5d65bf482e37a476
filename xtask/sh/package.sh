# shellcheck shell=bash
# The installable package: built by Tauri's own tool, and tried as a person would. Sourced by ./dev after setup.sh.

# Tauri's bundler, which npm brings as a binary. It is no dependency of the UI: only who packages needs it.
readonly TAURI_CLI=@tauri-apps/cli@2.12.5

# Builds the bundles named (deb, rpm, ...), and prints where each is. Arguments after them go to Tauri's build.
build_package() {
  local bundles=$1
  shift
  build_ui
  npx --yes "$TAURI_CLI" build --ci --bundles "$bundles" --config "$(deb_depends)" "$@"
}

# What the .deb depends on, as configuration for Tauri: what tauri.conf.json names, and the package of the libvpx that is
# linked here, which Debian names after the library's version.
deb_depends() {
  local library package
  library=$(realpath "$(cc -print-file-name=libvpx.so)" 2>/dev/null) || library=none
  package=$(dpkg-query -S "$library" 2>/dev/null | cut -d: -f1) || package=
  node -e '
    const { depends } = require("./tauri.conf.json").bundle.linux.deb;
    const all = process.argv[1] ? [...depends, process.argv[1]] : depends;
    console.log(JSON.stringify({ bundle: { linux: { deb: { depends: all } } } }));
  ' "$package"
}

# The .deb installed on this machine, started by its menu entry's command on a display that nobody sees, and removed.
try_deb() {
  local deb name entry command home left
  rm -rf "${CARGO_TARGET_DIR:-target}/debug/bundle/deb"
  # The whole workspace, so that its libraries are those that the step `build` has built.
  build_package deb --debug -- --workspace || return 1
  deb=$(realpath "${CARGO_TARGET_DIR:-target}"/debug/bundle/deb/*.deb)
  name=$(dpkg-deb -f "$deb" Package)
  echo "$deb: $(($(stat -c %s "$deb") / 1024 / 1024)) MB (unoptimised, with debug information)"
  apt-get install -y "$deb" || return 1
  entry=$(dpkg -L "$name" | grep '\.desktop$')
  command=$(sed -n 's/^Exec=//p' "$entry" | sed 's/ %.*//')
  echo "the menu entry $entry runs: $command"
  home=$(mktemp -d)
  mkdir -m 700 "$home/run"
  if ! HOME=$home XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config NO_AT_BRIDGE=1 \
    xvfb-run -a -s '-screen 0 1280x900x24' bash xtask/sh/window.sh "$command" target/screenshots/8-installed.png; then
    dpkg -r "$name"
    return 1
  fi
  left=$(dpkg -L "$name" | while read -r path; do [ -f "$path" ] && echo "$path"; done)
  dpkg -r "$name" || return 1
  for path in $left; do
    [ ! -e "$path" ] || { echo "left behind: $path" && return 1; }
  done
  rm -rf "$home"
  echo "installed, started, removed"
}

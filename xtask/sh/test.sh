# shellcheck shell=bash
# The steps of ./dev test and ./dev check. Each step's output goes to target/test-logs/STEP.log and is shown when it
# fails; every step runs, whatever became of those before it; one table closes. Sourced by ./dev after setup.sh.

readonly LOGS=$PWD/target/test-logs
readonly BINDINGS=ui/src/bindings
# The app's own integration tests: whole programs, so they run after everything else and one at a time.
readonly END_TO_END='package(visavis) & kind(test)'
readonly CHECK_STEPS="fmt-rust fmt-toml fmt-ui typos shellcheck ui-lint ui-types ui-build tidy deny machete clippy
  clippy-headless doc"
readonly ALL_STEPS="$CHECK_STEPS ui-test build bindings test doctest e2e deb server-deb"

run_fmt_rust() { cargo fmt --all --check; }
run_fmt_toml() { taplo fmt --check --diff; }
run_fmt_ui() { npm --prefix ui run format; }
run_typos() { typos; }
run_shellcheck() { shellcheck -x dev .ci/run xtask/sh/*.sh xtask/vm/*.sh; }
run_ui_lint() { npm --prefix ui run lint; }
run_ui_types() { npm --prefix ui run check; }
run_ui_test() { npm --prefix ui run test; }
# The app embeds ui/dist and the server ui/dist-guest when they are compiled, so this comes before every step that does.
run_ui_build() { npm --prefix ui run build && npm --prefix ui run build:guest; }
run_tidy() { cargo xtask tidy; }
run_deny() { cargo deny check bans licenses sources; }
run_machete() { cargo machete; }
run_clippy() { cargo clippy --workspace --all-targets -- -D warnings; }
run_clippy_headless() { cargo clippy -p visavis --no-default-features --all-targets -- -D warnings; }
run_doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps; }
run_build() { cargo build --workspace --bins && cargo nextest run --workspace --no-run; }
run_doctest() { cargo test --workspace --doc; }
run_e2e() { cargo nextest run --workspace --profile e2e -E "$END_TO_END"; }

# Installs a package, so only where that is no intrusion: on Debian's kin, as root.
run_deb() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not tried: it installs a package, which takes root on Debian or Ubuntu"
    return 0
  fi
  try_deb
}

# The same for the server's package.
run_server_deb() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not tried: it installs a package, which takes root on Debian or Ubuntu"
    return 0
  fi
  try_server_deb
}

run_test() { cargo nextest run --workspace -E "not ($END_TO_END)"; }

# The test writes the bindings anew and fails where they were not what is committed; the comparison stands beside it so
# that the log shows the difference.
run_bindings() {
  local result=0
  cp -R "$BINDINGS" "$LOGS/bindings" || return 1
  cargo nextest run --workspace -E 'test(bindings)' || result=1
  diff -r "$LOGS/bindings" "$BINDINGS" || result=1
  [ $result -eq 0 ] || echo "Where $BINDINGS differed it has been written anew: look at it and commit it."
  return $result
}

step() {
  local name=$1 log=$LOGS/$1.log begin=$SECONDS result=pass
  printf '%-16s ' "$name"
  # The function's name is the step's, with underscores; a subshell keeps its folder and variables its own.
  ("run_${name//-/_}") >"$log" 2>&1 </dev/null || result=FAIL
  printf '%-5s %5d s\n' "$result" $((SECONDS - begin))
  ROWS="$ROWS$(printf '| %-16s | %-6s | %7d |' "$name" "$result" $((SECONDS - begin)))"$'\n'
  [ "$result" = pass ] && return
  FAILED="$FAILED $name"
  printf -- '--- %s (its end; whole: %s)\n' "$name" "${log#"$ROOT"/}"
  tail -n 200 "$log"
  printf -- '--- end of %s\n' "$name"
}

# The closing lines of the test runners, as they printed them.
closing_lines() {
  local name
  for name in ui-test test e2e doctest; do
    [ -f "$LOGS/$name.log" ] || continue
    grep -E '^ *(Summary \[|Test Files |Tests  |test result: )' "$LOGS/$name.log" |
      grep -v ' 0 passed; 0 failed' | sed "s/^ */$name: /" || true
  done
}

run_steps() {
  local name
  ROWS='' FAILED=''
  rm -rf "$LOGS" && mkdir -p "$LOGS"
  export CARGO_TERM_COLOR=never NO_COLOR=1 CI=${CI:-true}
  for name in "$@"; do step "$name"; done
  printf '\n| step             | result | seconds |\n| ---------------- | ------ | ------- |\n%s' "$ROWS"
  closing_lines
  if [ -n "$FAILED" ]; then
    echo "failed:$FAILED"
    return 1
  fi
  echo "all $# steps passed in $SECONDS s"
}

cmd_test() {
  local name
  if [ "${1:-}" = --list ]; then
    # shellcheck disable=SC2086 # a list of names
    printf '%s\n' $ALL_STEPS
    return
  fi
  for name in "$@"; do
    cmd_test --list | grep -qx -- "$name" || give_up "No such step: $name. ./dev test --list names them."
  done
  need test
  # shellcheck disable=SC2086 # a list of names
  [ $# -gt 0 ] || set -- $ALL_STEPS
  run_steps "$@"
}

cmd_check() {
  if [ "${1:-}" = --all-targets ]; then
    check_all_targets
    return
  fi
  need test
  # shellcheck disable=SC2086 # a list of names
  run_steps $CHECK_STEPS
}

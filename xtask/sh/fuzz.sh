# shellcheck shell=bash
# Lets libFuzzer look for bytes that break a parser: every target of fuzz/ in turn, each for some minutes, then a table.
# It runs on the stable compiler: coverage comes from LLVM's own pass, without a sanitizer. Sourced by ./dev after setup.sh.

readonly FUZZ_TRIPLE=x86_64-unknown-linux-gnu
readonly FUZZ_DIR=${CARGO_TARGET_DIR:-target}/fuzzing
readonly COVERAGE="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"

fuzz_build() {
  # With --target the flags stay away from build scripts and macros. clang can measure the C and C++ codecs, too.
  if command -v clang++ >/dev/null; then
    local flags="-fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp"
    flags="$flags -fsanitize-coverage-ignorelist=$ROOT/fuzz/not-measured.txt"
    export "CC_${FUZZ_TRIPLE//-/_}=clang" "CXX_${FUZZ_TRIPLE//-/_}=clang++"
    export "CFLAGS_${FUZZ_TRIPLE//-/_}=$flags" "CXXFLAGS_${FUZZ_TRIPLE//-/_}=$flags"
  fi
  RUSTFLAGS=$COVERAGE cargo build -p visavis-fuzz --bin visavis-fuzz --features libfuzzer --profile fuzz \
    --target "$FUZZ_TRIPLE"
}

# A closing line of libFuzzer's, by its name.
fuzz_stat() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }

fuzz_one() {
  local name=$1 max_len=$2 minutes=$3 result=none
  local corpus=$FUZZ_DIR/corpus/$name log=$FUZZ_DIR/$name.log crashes=$FUZZ_DIR/crashes
  mkdir -p "$corpus" "$crashes"
  local TIMEFORMAT='%U %S' spent
  spent=$({ time FUZZ_TARGET=$name "$FUZZ_PROGRAM" "$corpus" "fuzz/seeds/$name" -max_len="$max_len" -timeout=10 \
    -rss_limit_mb=2048 -max_total_time=$((60 * minutes)) -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$crashes/$name-" >"$log" 2>&1; } 2>&1) || true
  grep -q 'Test unit written to' "$log" && result=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  printf '| %-12s | %9s | %7s | %6s | %5.2f | %s |\n' "$name" "$(fuzz_stat number_of_executed_units "$log")" \
    "$(fuzz_stat average_exec_per_sec "$log")" "$(find "$corpus" -type f | wc -l)" \
    "$(echo "$spent" | awk '{ print ($1 + $2) / 60 }')" "$result"
}

cmd_fuzz() {
  local minutes=1 chosen='' listed name max_len found=0
  while [ $# -gt 0 ]; do
    case $1 in
      --minutes) minutes=${2:?"--minutes takes a number"} && shift ;;
      *) chosen="$chosen $1" ;;
    esac
    shift
  done
  need test
  [ "$(rustc -vV | sed -n 's/host: //p')" = "$FUZZ_TRIPLE" ] || give_up "./dev fuzz runs on $FUZZ_TRIPLE only."
  fuzz_build
  FUZZ_PROGRAM=${CARGO_TARGET_DIR:-target}/$FUZZ_TRIPLE/fuzz/visavis-fuzz
  # Asked for no target it names those that there are; libFuzzer misses its sanitizers aloud before that.
  listed=$(FUZZ_TARGET='' "$FUZZ_PROGRAM" 2>&1 | grep -v '^WARNING: ' || true)
  echo '| target       |      runs |  runs/s | corpus | CPU-minutes | crash |'
  echo '| ------------ | --------: | ------: | -----: | ----------: | ----- |'
  while read -r name max_len; do
    [ -z "$chosen" ] || [[ " $chosen " == *" $name "* ]] || continue
    found=$((found + 1))
    fuzz_one "$name" "$max_len" "$minutes"
  done <<<"$listed"
  [ $found -gt 0 ] || give_up "No such target; there are: $(echo "$listed" | cut -d' ' -f1 | tr '\n' ' ')"
  [ -z "$(find "$FUZZ_DIR/crashes" -type f -newer "$FUZZ_PROGRAM")" ]
}

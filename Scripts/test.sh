#!/usr/bin/env bash
# Runs the tests that are built, each module in processes of its own, as many at a time as there are
# processors, and one test after the other within each: libtorch's random state and thread count belong
# to a process. The longest come first. The modules that take longest are parted into their suites.
#
#   Scripts/test.sh [PATTERN...]     all tests, or those whose module or module.suite matches
#
#   TEST_PROCESSES=N   how many processes at a time
#   TEST_BUILD=FOLDER  where the tests are built (.build/release)
#
# What each process printed stays in .build/tests/NAME.log. The last line says how many tests passed and
# how many failed; what failed is named before it.
set -euo pipefail
cd "$(dirname "$0")/.."

processes=${TEST_PROCESSES:-$(nproc)}
bundle=${TEST_BUILD:-.build/release}/loopyPackageTests.xctest
logs=.build/tests
parted='^(EndToEndTests|TrainingTests|CurationTests)[.]'

[ -x "$bundle" ] || { echo "$bundle is missing: run 'make test'" >&2; exit 64; }
mkdir -p "$logs"

tests() { "$bundle" --testing-library swift-testing "$@"; }

# The order of the processes: by how long each took when it last ran, or may take.
list() {
    tests --list-tests | awk -F '[./]' -v parted="$parted" '
        { name = $1 "." $2; print (name ~ parted ? name : $1) }' | sort -u |
        while read -r name; do
            case $name in
                EndToEndTests.*) guess=300 ;;
                TrainingTests.TrainerTests | TorchTests | MediaTests | CurationTests.LipSync*) guess=100 ;;
                *) guess=10 ;;
            esac
            printf '%s %s\n' "$(cat "$logs/$name.seconds" 2>/dev/null || echo $guess)" "$name"
        done | sort -rn | cut -d ' ' -f 2
}

run_one() {
    local name=$1 log=$logs/$1.log begin=$SECONDS status=0 counts
    tests --no-parallel --filter "^${name/./\\.}[./]" >"$log" 2>&1 || status=$?
    echo $((SECONDS - begin)) >"$logs/$name.seconds"
    counts=$(awk '/^✔ Test .* passed after/ && !/Test run with/ { passed++ }
        /^✘ Test .* failed after/ && !/Test run with/ { failed++ }
        END { print passed + 0, failed + 0 }' "$log")
    # A process that crashed has not said that a test failed.
    [ "$status" -eq 0 ] || [ "${counts#* }" -gt 0 ] || counts="${counts% *} 1"
    echo "$counts $status" >"$logs/$name.result"
    printf '%-40s %4d passed %3d failed %5d s\n' "$name" $counts $((SECONDS - begin))
}
export -f run_one tests
export bundle logs

# A thread of libtorch's for each process. OpenMP's threads wait for one another by spinning, which
# takes ten times as long where there are more of them than processors: what tests start waits asleep.
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

rm -f "$logs"/*.result
names=$(list)
for pattern in "$@"; do
    chosen+=$(grep -E "$pattern" <<<"$names" || { echo "no tests are called $pattern" >&2; exit 64; })$'\n'
done
[ $# -eq 0 ] || names=$(sort -u <<<"$chosen" | sed '/^$/d')
[ -n "$names" ] || { echo "$bundle holds no tests" >&2; exit 1; }

begin=$SECONDS
xargs -P "$processes" -I NAME bash -c 'run_one NAME' <<<"$names"

failed=0 passed=0
for result in "$logs"/*.result; do
    read -r good bad status <"$result"
    passed=$((passed + good)) failed=$((failed + bad))
    [ "$status" -eq 0 ] && continue
    log=${result%.result}.log
    echo
    echo "$log: exit status $status"
    # The lines that follow a test's own say what was seen.
    awk '/^(✔|✘|◇|➜) / { isTold = /^✘/ && !/^✘ (Suite|Test run) / } isTold && lines++ < 100' "$log" |
        cut -c 1-400
    grep -aqE '^✘' "$log" || tail -5 "$log"
done
echo
echo "$((SECONDS - begin)) s in $processes processes"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Runs every test, and says at the end how many were skipped and why: a test prints SKIPPED and its reason. Arguments go to cargo.
set -euo pipefail
cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# A shell without job control (`make test &`, nohup) ignores SIGINT for its children, and the program respects that; the tests send it.
reset=()
if env --default-signal=INT,HUP true 2>/dev/null; then reset=(env --default-signal=INT,HUP); fi
# --show-output lets passed tests speak, for the log alone; of a failed test everything is shown.
run() {
	"${reset[@]}" "${CARGO:-cargo}" test --release --workspace "$@" -- --show-output 2>&1 | tee -a "$log" |
		awk '/^successes:$/ { hidden = 1 } /^failures:$/ || /^test result:/ { hidden = 0 } !hidden' || status=$?
}
# Examples and benches hold no tests; lints check that they compile.
run --lib --bins --tests "$@"
run --doc "$@"
skipped=$(grep -c '^SKIPPED' "$log" || true)
echo "skipped      $skipped tests"
grep '^SKIPPED' "$log" | sort | uniq -c || true
exit "$status"

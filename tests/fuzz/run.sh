#!/bin/bash
# Fuzzes each target for FUZZ_SECONDS, beginning with its seeds and with what earlier runs found in CORPUS. Prints a table and, last, one
# line of figures; ends with 1 where an input did harm, and says which.
set -u
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
corpus=${CORPUS:-target/fuzz-corpus}
targets=${FUZZ_TARGETS:-component pins model_reply provider_answer telegram_update zip_import}
export PATH="$PWD/target/tools/cargo/bin:$PATH"
command -v cargo-fuzz >/dev/null || { echo "installing cargo-fuzz into target/tools/cargo" && cargo install -q cargo-fuzz --version 0.13.2 --locked --root target/tools/cargo; } || exit 1
# No sanitizer: there is no unsafe code here to watch, and so any compiler will do.
build=(--fuzz-dir tests/fuzz --target-dir target/fuzz -s none)
cargo fuzz build "${build[@]}" || exit 1
printf '%-18s %12s %10s %10s %10s\n' target inputs seconds kept crashes
figures=""; failed=0
for target in $targets; do
	mkdir -p "$corpus/$target" "tests/fuzz/seeds/$target"
	log="target/fuzz/$target.log"
	limits=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=300000 -print_final_stats=1 -use_value_profile=1)
	cargo fuzz run "${build[@]}" "$target" "$corpus/$target" "tests/fuzz/seeds/$target" -- "${limits[@]}" >"$log" 2>&1
	ended=$?
	inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log"); kept=$(ls "$corpus/$target" | wc -l)
	crashes=0
	if [ $ended -ne 0 ]; then
		crashes=1; failed=1
		grep -m3 -E 'panicked at|ERROR: libFuzzer|^assertion' "$log"; grep -E 'Test unit written|artifacts/' "$log" | tail -2
	fi
	took=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log")
	printf '%-18s %12s %10s %10s %10s\n' "$target" "${inputs:-?}" "${took:-?}" "$kept" "$crashes"
	figures="$figures ${target}=${inputs:-?}"
done
echo "fuzz seconds_each=$seconds crashes_found=$failed inputs:$figures"
exit $failed

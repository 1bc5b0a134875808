# Each target does its own set-up and says what it installs. `make demo` and `make test` are all that a newcomer needs.

SHELL := /bin/bash
CARGO ?= cargo
# The development profile compiles the hot dependencies optimised, so that demo and tests share one build.
ATELIER := target/debug/atelier
PLUGINS := architect implementer indexer
OUT ?= out
IDEA ?= A command-line tool that counts how often each word occurs in a text
DATA_DIR ?= .atelier

.PHONY: demo run test bench lint plugins toolchain guests demo-record clean

## The main job, without a model: a recorded run, replayed through the real code. Result in $(OUT).
demo: plugins
	$(ATELIER) --data-dir $(DATA_DIR) demo --out $(OUT)

## The main job with your model: make run IDEA="…" (ATELIER_MODEL_URL and friends, see README.md).
run: plugins
	$(ATELIER) --data-dir $(DATA_DIR) run "$(IDEA)" --out $(OUT)

test: plugins guests
	$(CARGO) test --workspace --exclude atelier-guests

## Times of the plugin host and the ledger beside a bare wasmtime program, as ratios.
bench: plugins guests
	$(CARGO) run --release -q -p tests --bin bench

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

## Builds the shipped plugins and pins them in $(DATA_DIR).
plugins: toolchain $(ATELIER)
	@for plugin in $(PLUGINS); do $(ATELIER) --data-dir $(DATA_DIR) plugin build plugins/$$plugin --out target/plugins/$$plugin.wasm --pin || exit 1; done

guests: toolchain $(ATELIER)
	@$(ATELIER) --data-dir target/guests-data plugin build tests/guests --out target/plugins/guest.wasm

# Cargo knows best whether there is anything to do.
$(ATELIER): FORCE
	$(CARGO) build -p atelier-host

## A wasm target for the plugins: the rustup target, else Debian's packages.
toolchain:
	@if [ -d "$$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" ] || [ -d /usr/lib/rustlib/src/rust/library -a -x "$$(command -v wasm-ld-22)" ]; then :; \
	elif command -v rustup >/dev/null && echo "installing the rustup target wasm32-unknown-unknown" && rustup target add wasm32-unknown-unknown; then :; \
	elif command -v apt-get >/dev/null && echo "installing rustc-web cargo-web rust-web-src lld-22" && apt-get update -qq && apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src lld-22; then :; \
	else echo "no wasm toolchain: run 'rustup target add wasm32-unknown-unknown', or install rustc-web cargo-web rust-web-src lld-22 (Debian)"; exit 1; fi

## Renews the shipped recording from the requests and replies in DESK (see documentation/decisions/0006-recordings.md).
demo-record: $(ATELIER)
	$(ATELIER) demo --record $(DESK) --recorded $$(date +%F) > host/demo/recording.new && mv host/demo/recording.new host/demo/recording.json

clean:
	$(CARGO) clean
	rm -rf $(DATA_DIR) $(OUT)

FORCE:

# Each target does its own set-up and says what it installs. `make demo` and `make test` are all that a newcomer needs.

SHELL := /bin/bash
CARGO ?= cargo
# The development profile compiles the hot dependencies optimised, so that demo and tests share one build.
ATELIER := target/debug/atelier
PLUGINS := architect implementer indexer documenter
RUNNERS := target/plugins/runner-python.wasm target/plugins/runner-javascript.wasm
EXAMPLES := $(foreach language,javascript python,target/plugins/architect-$(language).wasm target/plugins/implementer-$(language).wasm)
OUT ?= out
IDEA ?= A command-line tool that counts how often each word occurs in a text
DATA_DIR ?= .atelier
KILLS ?= 200
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
STORE ?= sqlite
USERS ?= 1000
BUYERS ?= 200
PEER ?= target/peer
EVALUATION ?= target/evaluation
PART ?=

.PHONY: demo run test fuzz torture torture-projects torture-bot postgres registry bench bench-sandbox hostile bench-checks bench-gateway bench-orchestrator bench-bot bench-stars eval-index bot-ux chat-picture ideas ideas-solutions judge-python lint plugins examples toolchain guests demo-record clean

## The main job, without a model: a recorded run, replayed through the real code. Result in $(OUT).
demo: plugins
	$(ATELIER) --data-dir $(DATA_DIR) demo --out $(OUT)

## The main job with your model: make run IDEA="…" (ATELIER_MODEL_URL and friends, see README.md).
run: plugins
	$(ATELIER) --data-dir $(DATA_DIR) run "$(IDEA)" --out $(OUT)

test: plugins guests examples postgres registry
	$(CARGO) test --workspace --exclude atelier-guests
	@echo "the stories of money and projects once more, on PostgreSQL"
	ATELIER_TEST_STORE=postgres $(CARGO) test --workspace --exclude atelier-guests --test it -- ledger limits model_calls providers restarts conversations faults parallel replay workers changes telegram:: payments webhook handed_over
	python3 -m unittest discover -q -s plugins/runner-python/tests
	cd target/tools/javascript && node --test tests/
	for example in $(filter %-javascript,$(EXAMPLES:target/plugins/%.wasm=%)); do (cd target/tools/examples/$$example && npm test --silent) || exit 1; done
	for example in $(filter %-python,$(EXAMPLES:target/plugins/%.wasm=%)); do (cd target/tools/examples/$$example && PYTHONPATH=src:sdk python3 -m unittest discover -q tests) || exit 1; done

## kill -9 at random instants over real runs: make torture [KILLS=200] [STORE=sqlite|postgres].
torture: plugins postgres
	KILLS=$(KILLS) ATELIER_TEST_STORE=$(STORE) $(CARGO) run -q -p tests --bin torture

## The same over projects whose tasks are worked on at one time.
torture-projects: plugins postgres
	KILLS=$(KILLS) ATELIER_TEST_STORE=$(STORE) $(CARGO) run -q -p tests --bin torture -- projects

## The same over people who take an idea to a zip in their chats: what comes in counts once, what goes out is there once.
torture-bot: plugins postgres
	KILLS=$(KILLS) ATELIER_TEST_STORE=$(STORE) $(CARGO) run -q -p tests --bin torture -- bot

## PostgreSQL's programs, for the stories that run on it; each test program starts a throw-away cluster of its own.
postgres:
	@ls -d /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { echo "installing postgresql" && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; }

## A registry of plugins, for the stories that push and pull; each starts one of its own.
registry:
	@command -v docker-registry >/dev/null || { echo "installing docker-registry" && apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-registry; }

## Times of the plugin host and the ledger beside a bare wasmtime program, as ratios.
bench: plugins guests
	$(CARGO) run --release -q -p tests --bin bench

## What the sandbox costs, beside a bare wasmtime program: calls, host calls by import, live runs in a GiB, loading; in every language of agents.
bench-sandbox: plugins guests examples
	$(CARGO) run --release -q -p tests --bin bench-sandbox

## The sandbox, attacked on this machine by guests that each break one promise, with an honest plugin beside them.
hostile: plugins
	$(ATELIER) --data-dir $(DATA_DIR) doctor --hostile

## Feeds the host what strangers could, in ever new forms, FUZZ_SECONDS for each of FUZZ_TARGETS (all of them without).
fuzz:
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_TARGETS="$(FUZZ_TARGETS)" tests/fuzz/run.sh

## What a check costs in the sandbox, beside python3 and node.
bench-checks: plugins
	$(CARGO) run --release -q -p tests --bin bench-checks

## What the ledger costs a model call, on both stores and beside LiteLLM's proxy (installed into PEER if that can be done; PEER= leaves it out).
bench-gateway: postgres
	@test -z "$(PEER)" || tests/peer/setup.sh $(PEER) || echo "the peer can't be installed; nothing is measured beside it"
	PEER=$(PEER) $(CARGO) run --release -q -p tests --bin bench-gateway

## What the orchestrator adds to the models' time: tasks at one time beside the same in turn, and projects a second.
bench-orchestrator: plugins postgres
	$(CARGO) build --release -q -p atelier-host -p tests --bin atelier --bin bench-orchestrator
	$(CARGO) run --release -q -p tests --bin bench-orchestrator

## How long people wait until the bot says that it heard them, with Telegram's limits on: make bench-bot [USERS=1000].
bench-bot: plugins
	$(CARGO) build --release -q -p atelier-host -p tests --bin atelier --bin bench-bot
	USERS=$(USERS) $(CARGO) run --release -q -p tests --bin bench-bot

## How long Telegram waits for the answer whether a payment is welcome, under load; and that each counts once: make bench-stars [BUYERS=200].
bench-stars: plugins
	$(CARGO) build --release -q -p atelier-host -p tests --bin atelier --bin bench-stars
	USERS=$(BUYERS) $(CARGO) run --release -q -p tests --bin bench-stars

## How good the code index finds things beside its peers, how fast, and whether it is what it would be if it were made anew: make eval-index
## [PART=quality|ablation|speed|incremental]. Sets, peers and a model are installed into EVALUATION; with vectors the first run takes half an hour.
eval-index: plugins
	tests/evaluation/setup.sh $(EVALUATION)
	$(CARGO) build --release -q -p atelier-host -p tests --features atelier-host/bert,tests/bert --bin atelier --bin eval-index
	$(CARGO) run --release -q -p tests --features atelier-host/bert,tests/bert --bin eval-index -- $(EVALUATION) $(PART)

## Renews what documentation/bot_ux_design.md has from the code and from tests/conversations/bot. What was said in a script is renewed by
## ATELIER_TEST_RECORD=1 cargo test -p tests --test it -- every_bot_conversation, to be read before it is kept.
bot-ux: $(ATELIER)
	ATELIER_TEST_RECORD=1 $(CARGO) test -q -p tests --test it -- the_bots_document

## Photographs the chat of a journey (the model's answers are those of the recording) into documentation/images.
chat-picture: plugins
	@command -v chromium >/dev/null || { echo "installing chromium fonts-noto-color-emoji" && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-noto-color-emoji; }
	$(CARGO) run -q -p tests --bin chat-picture

## Builds every idea of tests/ideas with your model and judges the results by hidden tests: make ideas [IDEAS="01 05"].
ideas: plugins
	ATELIER_DATA_DIR=$(DATA_DIR) $(CARGO) run -q -p tests --bin ideas -- run $(IDEAS)

## Proves that the hidden tests tell a good solution from a bad one.
ideas-solutions: plugins
	ATELIER_DATA_DIR=$(DATA_DIR) $(CARGO) run -q -p tests --bin ideas -- solutions $(IDEAS)

## Runs parts of CPython 3.11's own test suite in the Python runner and natively, and compares them (documentation/python_runner.md).
judge-python: plugins
	@test -d /usr/lib/python3.11/test/test_json || { echo "installing libpython3.11-testsuite" && apt-get update -qq && apt-get install -y -qq --no-install-recommends libpython3.11-testsuite; }
	$(CARGO) run -q -p tests --bin judge-python

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

## Builds the shipped plugins, pins them in $(DATA_DIR) and compiles them ahead.
plugins: toolchain $(ATELIER) $(RUNNERS)
	@for plugin in $(PLUGINS); do $(ATELIER) --data-dir $(DATA_DIR) plugin build plugins/$$plugin --out target/plugins/$$plugin.wasm --pin || exit 1; done
	@for runner in runner-python runner-javascript; do $(ATELIER) --data-dir $(DATA_DIR) plugin pin target/plugins/$$runner.wasm --manifest plugins/$$runner/plugin.toml || exit 1; done
	@$(ATELIER) --data-dir $(DATA_DIR) plugin precompile

# The interpreters, from packages at pinned versions and hashes. Each is made once and then only when its sources change.
target/plugins/runner-python.wasm: $(shell find plugins/runner-python -type f -not -path '*/tests/*' -not -path '*/__pycache__/*') wit/v0.1.0/runner.wit
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "installing python3-venv" && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }
	@mkdir -p target/plugins && test -x target/tools/python/bin/pip || python3 -m venv target/tools/python
	@echo "installing the packages of plugins/runner-python/requirements.txt into target/tools/python"
	@target/tools/python/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r plugins/runner-python/requirements.txt
	@echo "building $@ (half a minute)"
	@target/tools/python/bin/componentize-py -d wit/v0.1.0 -w runner componentize -p plugins/runner-python \
		-p "$$(target/tools/python/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" app -o $@

target/plugins/runner-javascript.wasm: $(shell find plugins/runner-javascript -type f -not -path '*/tests/*' -not -path '*/node_modules/*') wit/v0.1.0/runner.wit
	@command -v npm >/dev/null || { echo "installing nodejs npm" && apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm; }
	@mkdir -p target/plugins target/tools/javascript
	@echo "installing the packages of plugins/runner-javascript/package-lock.json"
	@cp -r plugins/runner-javascript/. target/tools/javascript && cd target/tools/javascript && npm ci --silent --no-audit --no-fund
	@echo "building $@ (ten seconds)"
	@cd target/tools/javascript && node build.mjs $(CURDIR)/wit/v0.1.0/runner.wit $(CURDIR)/$@

## Agents in JavaScript and Python, as `atelier plugin new --lang` makes them.
examples: $(ATELIER) $(EXAMPLES)

# Of a world ($*) and a language: the folder is made anew, and built with what its own lock names.
define example
	@rm -rf target/tools/examples/$*-$(1) && mkdir -p target/tools/examples
	@echo "building $@ with the packages that its lock names (half a minute)"
	@$(ATELIER) plugin new $*-$(1) --world $* --lang $(2) --in target/tools/examples 2>/dev/null
	@$(ATELIER) --data-dir target/guests-data plugin build target/tools/examples/$*-$(1) --out $@ --target-dir target/wasm
endef

# The runners' rules install node, npm and venv where they are missing.
target/plugins/%-javascript.wasm: $(shell find plugins/templates/javascript plugins/templates/cases -type f) $(wildcard wit/*/*.wit) | target/plugins/runner-javascript.wasm
	$(call example,javascript,js)

target/plugins/%-python.wasm: $(shell find plugins/templates/python plugins/templates/cases -type f -not -path '*/__pycache__/*') $(wildcard wit/*/*.wit) | target/plugins/runner-python.wasm
	$(call example,python,python)

guests: toolchain $(ATELIER)
	@$(ATELIER) --data-dir target/guests-data plugin build tests/guests --out target/plugins/guest.wasm

# Cargo knows best whether there is anything to do.
$(ATELIER): FORCE
	$(CARGO) build -p atelier-host

## A wasm target for the plugins: the rustup target, else Debian's packages. And clang, for the indexer's grammars are C.
toolchain:
	@if [ -d "$$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" ] || [ -d /usr/lib/rustlib/src/rust/library -a -x "$$(command -v wasm-ld-22)" ]; then :; \
	elif command -v rustup >/dev/null && echo "installing the rustup target wasm32-unknown-unknown" && rustup target add wasm32-unknown-unknown; then :; \
	elif command -v apt-get >/dev/null && echo "installing rustc-web cargo-web rust-web-src lld-22" && apt-get update -qq && apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src lld-22; then :; \
	else echo "no wasm toolchain: run 'rustup target add wasm32-unknown-unknown', or install rustc-web cargo-web rust-web-src lld-22 (Debian)"; exit 1; fi
	@if ls /usr/bin/clang-[12]? >/dev/null 2>&1 || command -v clang >/dev/null; then :; \
	elif command -v apt-get >/dev/null && echo "installing clang-22 llvm-22, or clang llvm" && apt-get update -qq && { apt-get install -y -qq --no-install-recommends clang-22 llvm-22 || apt-get install -y -qq --no-install-recommends clang llvm; }; then :; \
	else echo "no clang: install clang and llvm-ar (Debian: clang-22 llvm-22)"; exit 1; fi

## Renews the shipped recording from the requests and replies in DESK (see documentation/decisions/0006-recordings.md).
demo-record: $(ATELIER)
	$(ATELIER) demo --record $(DESK) --recorded $$(date +%F) > host/demo/recording.new && mv host/demo/recording.new host/demo/recording.json

clean:
	$(CARGO) clean
	rm -rf $(DATA_DIR) $(OUT)

FORCE:

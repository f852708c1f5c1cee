# Shortcuts: each target runs a tool that also works without make.

.DEFAULT_GOAL := help
.PHONY: help demo test chaos fuzz trace-context release bench bench-telemetry exhaustion overload lint lint-format lint-clippy lint-docs alerting \
	drills drill drill-stack stack-native drill-program test-programs slo deny openapi openapi-lint schemathesis contract dashboards mixin dashboards-lint \
	dashboards-check follow-a-trace \
	stack clean-stack

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run everything in one process, on SQLite; needs a Rust toolchain and a C compiler
	cargo run --locked --bin glasshouse

# The tests wait for servers and timeouts about half of their time: more of them than processors run at once, on a small machine.
TEST_THREADS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores > 4 ? cores : 4)))

test: ## Run all tests, on SQLite and on a temporary PostgreSQL and Redis
	scripts/install-check-tools target/check-tools
	scripts/install-valgrind
	scripts/with-test-services cargo test --locked --workspace --lib --bins --test catalogue --test command_line --test dashboards \
		--test instructions --test model --test parsers --test recipes --test shop --test stack
	cargo test --locked --workspace --doc
	cargo test --locked --workspace --test it --no-run
	scripts/install-chaos-tools
	cargo test --locked --workspace --test short
	scripts/install-browser
	scripts/install-walk-tools
	scripts/with-test-services cargo test --locked --workspace --test it -- --test-threads=$(TEST_THREADS)

# What `test` compiles.
test-programs:
	cargo test --locked --workspace --lib --bins --tests --no-run

trace-context: ## Run the cases of the W3C Trace Context test suite (part of `test`)
	cargo test --locked --workspace --lib -- trace_context
	scripts/with-test-services cargo test --locked --workspace --test it -- trace_context

# A build with counters ran under load here. Remove it after changes of the program, so that it runs again: by the counters of other
# code, the compiler optimizes what is no longer there, and once it had not ended after 25 minutes.
target/pgo-profiles:
	scripts/train

release: target/pgo-profiles ## Build the programs as they are released, optimized for a load that they ran under (about half an hour)
	cargo pgo optimize build -- --locked --bin glasshouse --bin drill

# `make bench BENCH='--only orders,signals'`; BENCH=--help lists the options.
BENCH ?=

bench: target/pgo-profiles ## Measure throughput and cost against pgbench, and write docs/performance.md (about 40 minutes, 25 the second time)
	TEST_DATABASE_DURABLE=1 scripts/with-test-services cargo pgo optimize bench -- --locked --package glasshouse --bench performance -- $(BENCH)

bench-telemetry: ## Measure latency and memory while receivers of telemetry are unavailable (release build, minutes)
	cargo bench --locked --package glasshouse --bench telemetry_cost

exhaustion: ## Measure what clients without a login take from others: memory, and success of requests (release build, minutes)
	cargo bench --locked --package glasshouse --bench exhaustion

overload: ## Measure how much of its peak throughput the service keeps under overload (release build, minutes)
	scripts/with-test-services cargo bench --locked --package glasshouse --bench overload

# The seed repeats the schedule of a run: make chaos CHAOS='--seed 7'.
CHAOS ?=

chaos: ## Break every part of the system under load, and prove that nothing is lost (about 20 minutes)
	scripts/install-chaos-tools
	cargo build --locked --workspace --bin chaos --test it
	target/debug/chaos $(CHAOS)

# `make fuzz FUZZ='--seconds 300 --target cursor --target token'`; FUZZ=--help lists the options.
FUZZ ?=

fuzz: ## Fuzz every parser, guided by coverage (about 20 minutes; the short form is part of `test`)
	scripts/install-fuzz-tools
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/scripts/rustc-with-coverage \
		cargo build --locked --profile fuzz --package glasshouse-fuzz --features libfuzzer --bin fuzz
	target/fuzz/fuzz $(FUZZ)

lint: lint-format lint-clippy lint-docs ## Check formatting, Clippy lints and the documentation

lint-format:
	cargo fmt --all --check

lint-clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

alerting: ## Check rules, alerts, routes and inhibition with promtool, amtool and Alertmanager
	scripts/check-alerting

deny: ## Check dependencies: licenses, advisories, sources, and unused ones
	@command -v cargo-deny >/dev/null && command -v cargo-machete >/dev/null || \
		{ echo "First install them: cargo install --locked cargo-deny cargo-machete" >&2; exit 1; }
	cargo deny --locked check
	cargo machete

openapi: ## Generate api/openapi.json
	cargo run --locked --bin glasshouse -- openapi > api/openapi.json.new
	mv api/openapi.json.new api/openapi.json

openapi-lint: ## Check api/openapi.json with Redocly
	scripts/install-check-tools target/check-tools
	PATH="target/check-tools/bin:$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		target/check-tools/node_modules/.bin/redocly lint --config api/redocly.yaml api/openapi.json

schemathesis: ## Test the running API against its OpenAPI document with Schemathesis, on both kinds of storage
	scripts/install-check-tools target/check-tools
	scripts/with-test-services cargo test --locked --workspace --test it -- --ignored --nocapture schemathesis::

contract: ## Generate docs/telemetry-contract.json and the tables in docs/telemetry.md
	cargo run --locked --bin glasshouse -- telemetry-contract > docs/telemetry-contract.json.new
	mv docs/telemetry-contract.json.new docs/telemetry-contract.json
	cargo run --locked --bin glasshouse -- telemetry-contract --tables docs/telemetry.md > docs/telemetry.md.new
	mv docs/telemetry.md.new docs/telemetry.md

slo: ## Generate deploy/prometheus/rules/slo.yml from deploy/slo
	cargo run --locked --bin drill -- slo

dashboards: ## Generate grafana/dashboards and grafana/runbooks
	cargo run --locked --bin dashboards

# Where `make mixin` writes.
MIXIN ?= target/mixin

mixin: ## Export dashboards for import into any Grafana, and a mixin of dashboards and rules
	cargo run --locked --bin dashboards -- export $(MIXIN)

dashboards-lint: ## Check grafana/dashboards with dashboard-linter, where it is installed
	scripts/lint-dashboards

# Where the stack's Grafana is.
GRAFANA ?= http://127.0.0.1:3000

dashboards-check: ## Run every dashboard query against the stack, while average-load runs
	cargo run --locked --bin drill -- dashboards --grafana $(GRAFANA)

follow-a-trace: ## Check the links in the stack's Grafana: panel, trace, logs, profile, metrics, and back
	cargo run --locked --bin drill -- follow

stack: ## Build the image and run the whole stack in Docker, under a light load
	docker compose --profile average-load up --build

clean-stack: ## Remove the stack's containers, networks and data
	docker compose --profile '*' down --volumes --remove-orphans

# Divides the durations of rules and scenarios.
SPEED ?= 30
# Where `make drills` writes its results as Markdown.
DRILL_PAGE ?= target/drills.md

# Drills run on containers if Docker is available, and otherwise on processes; DRILL_ON=compose or native overrides it.
WITH_DRILL_TOOLS = SPEED=$(SPEED) scripts/with-drill-tools

# Each test has a stack of its own, and waits for most of its time.
drills: drill-program ## Prove that every alert fires, is delivered and resolves; and that drills detect a broken one
	$(WITH_DRILL_TOOLS) target/debug/drill all --junit target/drills.xml --json target/drills.json --markdown $(DRILL_PAGE)
	$(WITH_DRILL_TOOLS) cargo test --locked --workspace --test shutdown --test sabotage --test shown -- --test-threads=3
	scripts/install-drill-tools target/drill-tools
	PATH="$$PATH:$(CURDIR)/target/drill-tools/bin" cargo test --locked --workspace --test adapt --test load_tests -- --test-threads=3

drill: drill-program ## Prove one alert: make drill NAME=HighErrorRate
	$(WITH_DRILL_TOOLS) target/debug/drill run $(NAME)

drill-stack: drill-program ## Run the stack of the drills until Ctrl-C
	$(WITH_DRILL_TOOLS) target/debug/drill stack

stack-native: export DRILL_ON := native
stack-native: SPEED := 10
stack-native: drill-program ## Run the stack without Docker until Ctrl-C: Postgres, Redis, Prometheus, Alertmanager and the service
	$(WITH_DRILL_TOOLS) target/debug/drill stack

# Built together with the tests of `drills`: test dependencies enable more features, and a separate build would compile
# everything twice.
drill-program:
	cargo build --locked --workspace --bins --test adapt --test load_tests --test shutdown --test sabotage --test shown

# The front door. Each target is a thin line over a tool that also works without make.

.DEFAULT_GOAL := help
.PHONY: help demo test bench-telemetry lint lint-format lint-clippy lint-docs alerting drills drill \
	drill-stack drill-program deny openapi dashboards dashboards-check follow-a-trace stack clean-stack

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run everything in one process, on SQLite; needs only the Rust toolchain
	cargo run --locked --bin glasshouse

test: ## Run every test, on SQLite and on a throw-away PostgreSQL and Redis
	scripts/install-check-tools target/check-tools
	cargo test --locked --workspace --lib --bins --test catalogue --test dashboards --test stack
	cargo test --locked --workspace --doc
	scripts/with-test-services cargo test --locked --workspace --test it

bench-telemetry: ## Measure what each signal costs, and receivers that are gone (a release build, minutes)
	cargo bench --locked --package glasshouse --bench telemetry_cost

lint: lint-format lint-clippy lint-docs ## Check formatting, clippy's lints and the documentation

lint-format:
	cargo fmt --all --check

lint-clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

alerting: ## Check rules, alerts and who hears of them, with Prometheus and Alertmanager themselves
	scripts/check-alerting

deny: ## Check dependencies: licences, advisories, sources, and unused ones
	@command -v cargo-deny >/dev/null && command -v cargo-machete >/dev/null || \
		{ echo "First install them: cargo install --locked cargo-deny cargo-machete" >&2; exit 1; }
	cargo deny --locked check
	cargo machete

openapi: ## Write api/openapi.json from the code
	cargo run --locked --bin glasshouse -- openapi > api/openapi.json.new
	mv api/openapi.json.new api/openapi.json

dashboards: ## Write grafana/dashboards from the code
	cargo run --locked --bin dashboards

dashboards-check: ## Ask the stack's Prometheus every query of the dashboards, while average-load runs
	cargo run --locked --bin drill -- dashboards

follow-a-trace: ## Follow the links of the stack's Grafana: panel, trace, log lines, profile, metrics, and back
	cargo run --locked --bin drill -- follow

stack: ## Build the image and run the whole stack in Docker, with Grafana and a few customers
	docker compose --profile average-load up --build

clean-stack: ## Remove the stack's containers, networks and data
	docker compose --profile '*' down --volumes --remove-orphans

# How fast alerts and scenarios go: every duration of theirs is divided by it.
SPEED ?= 30
# Where `make drills` writes what came of it, for people.
DRILL_PAGE ?= target/drills.md

# On the stack of docker-compose.yml where Docker is there, and otherwise on processes: DRILL_ON=native or compose decides it.
WITH_DRILL_TOOLS := SPEED=$(SPEED) scripts/with-drill-tools

drills: drill-program ## Prove every alert: fired, delivered and resolved; and that a broken one is noticed
	$(WITH_DRILL_TOOLS) target/debug/drill all --junit target/drills.xml --json target/drills.json --markdown $(DRILL_PAGE)
	$(WITH_DRILL_TOOLS) cargo test --locked --workspace --test endings --test sabotage -- --test-threads=1

drill: drill-program ## Prove one alert: make drill NAME=HighErrorRate
	$(WITH_DRILL_TOOLS) target/debug/drill run $(NAME)

drill-stack: drill-program ## Run the stack of the drills until Ctrl-C
	$(WITH_DRILL_TOOLS) target/debug/drill stack

# Together with the tests that follow: cargo gives the dependencies of tests more features, and would otherwise
# build everything twice.
drill-program:
	cargo build --locked --workspace --bins --test endings --test sabotage

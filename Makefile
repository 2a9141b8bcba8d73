# Stoa: `make up` runs the whole platform, `make test` runs every test. See README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help deps up build test check bench fmt openapi clean-data

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

deps: ## Install what is missing: PostgreSQL's server (Debian's or Homebrew's package)
	@scripts/install-deps run

build: deps ## Build the binary (release)
	cargo build --release --locked --bin stoa

up: build ## Run everything on http://127.0.0.1:8080 with demo data
	exec target/release/stoa up $(ARGS)

test: ## Every test
	@scripts/install-deps test
	cargo build --locked --bin stoa
	cargo test --locked --workspace
	scripts/new-service-test

check: ## Formatter, lints, licences, architecture, alert rules
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo run --locked -q -p xtask -- check
	@scripts/install-deps check
	cargo deny --log-level error check licenses bans sources
	@scripts/check-observability

bench: deps ## Benchmarks; results in target/bench and docs/benchmarks.md
	@scripts/install-deps bench
	cargo build --release --locked --bin stoa
	cargo run --release --locked -p stoa-bench -- $(BENCH)

fmt: ## Format
	cargo fmt

openapi: ## Write the OpenAPI snapshot anew
	cargo run --locked -q --bin stoa -- openapi > docs/openapi.json

clean-data: ## Forget the database of `make up`
	rm -rf .stoa

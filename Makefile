.DEFAULT_GOAL := help
.PHONY: help demo build test simulate mutants faults bench format clean

help: ## Show this list
	@echo 'PolicyStreams: make TARGET'
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build, then run the whole system on this machine: no Docker, no Java, nothing to configure
	@eng/build.sh
	@bin/policystreams demo

build: ## Release build; leaves the command at bin/policystreams
	@eng/build.sh

test: ## Build, then run every test; the last line is `N passed, N failed, N skipped`
	@eng/test.sh

simulate: ## Random schedules against the runtime, without a broker; SEED=N runs one again, SCHEDULES=N sets how many
	@eng/simulate.sh $(SEED)

mutants: ## Take one line after the other out of the runtime, and see that a test fails each time; MUTANT=NAME runs one
	@eng/bootstrap.sh
	@eng/mutants.py $(MUTANT)

faults: ## Faults on a real Kafka, each with its row; FAULTS="NAME …" picks some, and the table of docs/reliability.md is written where all ran
	@eng/faults.sh $(FAULTS)

bench: ## Micro-benchmarks; BENCH_ARGS picks some (default: all). The end-to-end job is bench/reference-job/run.sh
	@eng/bootstrap.sh
	dotnet run --project bench -c Release -- $(if $(BENCH_ARGS),$(BENCH_ARGS),--filter '*')

format: ## Rewrite white space and style as .editorconfig says
	@eng/bootstrap.sh
	dotnet format whitespace PolicyStreams.sln --no-restore

clean: ## Remove what builds and tests leave
	rm -rf bin TestResults artifacts BenchmarkDotNet.Artifacts eng/packages/no-readytorun
	find . -type d \( -name bin -o -name obj -o -name TestResults -o -name __pycache__ \) -not -path './.git/*' -prune -exec rm -rf {} +

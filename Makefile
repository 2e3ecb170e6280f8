SHELL := /bin/bash
TOOL := go tool -modfile=.ci/tools.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
RACE := $(shell command -v gcc >/dev/null && echo -race)
FUZZTIME ?= 30s
SOAK ?= 5m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static binary ./lqproxy
	CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags '$(LDFLAGS)' -o lqproxy ./cmd/lqproxy

.PHONY: package
package: ## deb, rpm and tar.gz for amd64 and arm64, reproducible, in dist/
	go run ./packaging/build -version '$(VERSION)' -out dist

.PHONY: demo
demo: build ## the proxy in front of a simulated Leqi, on loopback
	./lqproxy demo

.PHONY: test
test: ## all tests that this machine can run; lists what it leaves out
	@.ci/setup
	@$(MAKE) --no-print-directory vet race allocs

.PHONY: quick
quick: ## the tests that need no real parts, without the race detector
	go test -short ./...

.PHONY: vet
vet:
	go vet ./...

.PHONY: race
race:
	$(TOOL) gotestsum --format pkgname-and-test-fails --hide-summary=output -- $(RACE) -timeout 20m ./...

.PHONY: allocs
allocs: # allocation counts mean nothing under the race detector
	$(TOOL) gotestsum --format pkgname-and-test-fails --hide-summary=output -- -run Alloc ./...

.PHONY: lint
lint: ## formatting and linters
	@test -z "$$($(TOOL) gofumpt -l . | tee -a /dev/stderr)" || { echo "gofumpt -w the files above"; exit 1; }
	$(TOOL) golangci-lint run ./...

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME (30s, or 300x runs) each
	@.ci/fuzz $(FUZZTIME)

.PHONY: soak
soak: ## a minute of all faults at once, five of all changes to a running proxy (SOAK=5m)
	go test $(RACE) ./proxy -run TestFault -soak=1m -timeout 30m -v
	go test ./cmd/lqproxy -run TestLive -soak=$(SOAK) -timeout 60m -v

.PHONY: bench
bench: ## lqproxy beside nginx and HAProxy on this machine (BENCH=-quick)
	@go run ./cmd/internal/bench $(BENCH)

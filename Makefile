# make demo   a three-host cluster on this machine, a client, failures, a report (root; nothing but Go)
# make test   formatting, fuzzing for a moment, all tests (root); under CI the demo and the race detector as well
# make kernels a lab and some of the filter's tests on the kernel of Debian 12, in a virtual machine (root, Debian; installs qemu)
# make race   the packages with goroutines under the race detector (needs gcc)
# make bench  the figures of docs/benchmarks.md (root; needs keepalived, corosync, stress-ng, iperf3, wrk, haproxy and iptables from Debian)
# make lint   formatting, vet, generated code
GO      ?= go
BIN     := bin/muster
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: build demo test race kernels bench lint generate fuzz
build:
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/muster

demo: build
	@$(BIN) demo $(if $(STAY),--stay)

# Formatting and the like, then every fuzz target for a moment, then all tests: Go's own lines come last. Nothing is taken from
# Go's cache of results, which does not know that tests build and run the program. CI also runs what a person would rather look at or
# may have no C compiler for.
test: lint $(if $(CI),demo race) fuzz
	$(GO) test -count 1 -timeout 30m -p 1 ./...

# A smoke test that the targets still run and the known inputs still pass. FUZZTIME is go test's -fuzztime.
fuzz:
	$(GO) run ./internal/house/fuzzall -time $(or $(FUZZTIME),20000x)

# member and register are pure state machines, and their simulations take too long here, as does loading the programs for filter's tests;
# agents run as processes, out of the detector's sight.
race:
	$(GO) test -race -count 1 -timeout 10m $(addprefix ./internal/,api/... check guard heartbeat lab/load lab/web lessor \
		metrics multicast/... ping system vip wire/...) ./madcap

# Not for CI: qemu without KVM, which plays processors, crashes some kernels (6.12).
kernels:
	.ci/kernels

bench: build
	$(GO) run ./bench $(BENCH)

lint:
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) test -count 1 -run 'Current$$' ./bench ./cmd/muster ./internal/config ./internal/house

generate:
	$(GO) generate ./...

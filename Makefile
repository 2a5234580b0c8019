# Set-up, build and every check. `make` alone lists what can be made here.
SHELL := /bin/bash
.SHELLFLAGS := -euc
.ONESHELL:
.DEFAULT_GOAL := help

in_env := scripts/env.sh
version := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

define help
make run          set up, build, and start the appliance with the demo channel (ARGS=… goes to millrace serve)
make build        set up, then bin/millrace
make test         set up, then every Go test that this machine can pass (ARGS=… goes to go test)
make check        generated files, linters, layer rules, the control room's own checks, and every test
make ui           the control room that the binary embeds
make conformance  the conformance rules against a running appliance (URL=… of a multivariant playlist, ARGS='-whip … -key … -whep …')
make generate     write the generated files again
make kernels      the CUDA kernel's PTX that is embedded, by clang-14
make gpu-test     bin/gpu, a folder that runs on any machine with an NVIDIA driver; starts its gpu-test: what loads, decodes, composes, encodes
make gpu-bench    the same folder; starts its gpu-bench: the figures of benchmarks.md's gpu rows (ARGS='-json FILE …')
make players      every player seeks SEEKS=100 times in HISTORY=2h of start-over, VOD, gaps, changed rungs and clips
make asan         the tests of cards again, the emulated driver and the kernel under AddressSanitizer; make test has them too
make soak         viewers that come and go for CHURN=10m, and what of them stays
make bench        one benchmark beside its peers (NAME=mix-stage, mix4-static, mix4-720, cut-spam, grid16, control-plane, whep-fan, latency, desk, dvr-durable, clip-exact; ARGS=-quick)
make fuzz         every fuzz target for FUZZTIME=30s each
make clean        remove what was built here; FFmpeg stays in the cache
endef

.PHONY: help
help:
	@cat <<'TEXT'
	$(help)
	TEXT

.PHONY: setup
setup:
	@scripts/packages.sh build
	scripts/packages.sh ui
	scripts/ffmpeg.sh >/dev/null

.PHONY: run
run: build
	@exec bin/millrace serve $(ARGS)

.PHONY: build
build: ui
	@echo 'building bin/millrace' >&2
	$(in_env) go build -ldflags '-X main.version=$(version)' -o bin/millrace ./cmd/millrace

.PHONY: test-setup
test-setup: ui
	@scripts/packages.sh test

.PHONY: test
test: test-setup
	@$(in_env) scripts/test.sh $(ARGS)

.PHONY: check
check: test-setup
	@$(in_env) scripts/check.sh

.PHONY: generate
generate:
	@scripts/generate.sh

.PHONY: kernels
kernels:
	@scripts/packages.sh kernels
	scripts/kernels.sh

# The programs with the libraries of FFmpeg beside them: copy bin/gpu to a machine with a card and start gpu-test and gpu-bench there.
.PHONY: gpu-test gpu-bench
gpu-test gpu-bench: setup
	@$(in_env) scripts/gpu-programs.sh $@ $(ARGS)

.PHONY: asan
asan: setup
	@$(in_env) go test -count=1 -v -run TestUnderAddressSanitizer ./gpu

.PHONY: fuzz
fuzz: setup
	@FUZZTIME='$(FUZZTIME)' $(in_env) scripts/fuzz.sh

.PHONY: ui
ui: setup
	@scripts/ui.sh build

# The demo of an appliance on this machine, unless URL names another origin.
URL ?= http://127.0.0.1:8888/live/demo/index.m3u8

.PHONY: conformance
conformance: setup
	@go run ./conformance $(ARGS) '$(URL)'

.PHONY: clean
clean:
	@rm -rf bin
	if [ -d api/web/dist ]; then find api/web/dist -mindepth 1 ! -name .gitkeep -delete; fi

# The programs under benchmarks/ that run longer than a test may: each target is there when its program is.
define newline


endef
program = $(wildcard benchmarks/$(1)/main.go)

.PHONY: bench
bench: build test-setup
	@$(in_env) go run ./benchmarks $(ARGS) $(NAME)

# Ten minutes of viewers that come and go, and what of it stays (CHURN=10m).
CHURN ?= 10m

.PHONY: soak
soak: test-setup
	@$(in_env) go test ./e2e -count=1 -v -timeout 0 -run TestViewersComeAndGo -args -churn '$(CHURN)'

# Half an hour, most of it spent by ffmpeg and GStreamer.
HISTORY ?= 2h
SEEKS ?= 100

.PHONY: players
players: test-setup
	@MILLRACE_TEST_HISTORY='$(HISTORY)' MILLRACE_TEST_SEEKS='$(SEEKS)' $(in_env) go test ./e2e -count=1 -v -timeout 0 -run '^TestPlayersSeekInWhatIsStored$$$$' $(ARGS)

ifneq ($(call program,faults),)
help := $(help)$(newline)make faults       the long fault injections (ARGS=…)
.PHONY: faults
faults: build test-setup
	@$(in_env) go run ./benchmarks/faults $(ARGS)
endif

# The two commands: `make demo` and `make test`. Both set up what they need first.
SHELL := bash
.DEFAULT_GOAL := help
SWIFT_BUILD := swift build -c release
BIN := .build/release

.PHONY: help setup build demo test bench lint clean

help:
	@echo "make demo    set up, build, curate real sample videos into out/demo, train a small model on them"
	@echo "make test    set up, build, run all tests"
	@echo "make bench   set up, build, measure speed and memory beside the usual tools"
	@echo "make build   set up and build; the executables are in $(BIN)"
	@echo "make lint    check the formatting"
	@echo "make clean   remove what was built and made (the set-up's downloads stay in .deps)"

setup:
	Scripts/setup.sh

build: setup
	$(SWIFT_BUILD)

demo:
	Scripts/setup.sh samples
	$(SWIFT_BUILD)
	$(BIN)/loopy run Pipelines/demo.yaml --input .deps/samples --dataset out/demo
	$(BIN)/loopy sheet --dataset out/demo --output out/demo/contact-sheet.png
	rm -rf out/demo-stage1 out/demo-stage2
	$(BIN)/loopy-train Pipelines/train-tiny-stage1.yaml --shards out/demo/shards --output out/demo-stage1 --steps 100
	$(BIN)/loopy-train Pipelines/train-tiny-stage2.yaml --shards out/demo/shards --output out/demo-stage2 --steps 30 \
		--first-stage out/demo-stage1
	@echo
	@echo "Look at   out/demo/contact-sheet.png   every candidate, its key points and its verdict"
	@echo "          out/demo/selection.jsonl     every decision: rule, value, limit"
	@echo "          out/demo/shards/             WebDataset shards"
	@echo "          out/demo-stage2/metrics.jsonl  the loss of a small model that was trained on them"
	@echo "          out/demo/dataset.json        what is in the dataset and what made it"

test:
	Scripts/setup.sh samples python
	$(SWIFT_BUILD) --build-tests
	@set -o pipefail; swift test -c release --skip-build --no-parallel 2>&1 | tee .build/test.log \
		|| { echo; echo "What failed:"; grep -a '✘' .build/test.log | cut -c 1-400; exit 1; }

bench:
	Scripts/setup.sh samples bench
	$(SWIFT_BUILD)
	.deps/bench/bin/python Benchmarks/bench.py

lint:
	swift format lint --strict -r Package.swift Sources Tests

clean:
	rm -rf .build out

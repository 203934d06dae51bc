# The two commands: `make demo` and `make test`. Both set up what they need first.
SHELL := bash
.DEFAULT_GOAL := help
SWIFT_BUILD := swift build -c release
BIN := .build/release
PREFIX := out/install

.PHONY: help setup build demo test bench gpu-bundle fuzz lint format install test-install test-clusters clean

help:
	@echo "make demo     set up, build, curate real sample videos, train on them, generate: out/demo/index.html"
	@echo "make test     set up, build, run all tests"
	@echo "make bench    set up, build, measure speed and memory beside the usual tools (ROWS=sampling,short)"
	@echo "make gpu-bundle  build a folder that checks and measures Loopy on a machine with a GPU"
	@echo "make fuzz     feed damaged files to every reader, and damaged videos to loopy run (SECONDS=600 VIDEOS=1000)"
	@echo "make build    set up and build; the executables are in $(BIN)"
	@echo "make install PREFIX=FOLDER"
	@echo "              set up, build, make a folder that runs on machines without Swift ($(PREFIX))"
	@echo "make test-install PREFIX=FOLDER"
	@echo "              the same, then try that folder where there is nothing else"
	@echo "make test-clusters"
	@echo "              try the launchers in Clusters/ on a Slurm and a Ray here"
	@echo "make lint     check the formatting"
	@echo "make format   mend the formatting"
	@echo "make clean    remove what was built and made (the set-up's downloads stay in .deps)"

setup:
	Scripts/setup.sh

build: setup
	$(SWIFT_BUILD)

DEMO := out/demo
# The steps of each stage of training on the demo's shards.
STEPS := 30
SPOKEN = --image .deps/speaker/astronaut.png --audio .deps/portraits/speech.wav
demo:
	Scripts/setup.sh samples speaker
	$(SWIFT_BUILD)
	$(BIN)/loopy run Pipelines/demo.yaml --input .deps/samples --dataset $(DEMO) --set train.steps=$(STEPS) \
		--set train.validation.every=$(STEPS) --set train.optimiser.learning_rate=1e-4
	$(BIN)/loopy generate --weights small $(SPOKEN) --output $(DEMO)/generated.mp4
	$(BIN)/loopy generate --run $(DEMO)/runs/one-speaker-stage2 $(SPOKEN) --output $(DEMO)/generated-here.mp4
	$(BIN)/loopy page $(DEMO) --run $(DEMO)/runs/one-speaker-stage1 \
		--run $(DEMO)/runs/one-speaker-stage2 --generated $(DEMO)/generated.mp4 \
		--generated $(DEMO)/generated-here.mp4 --output $(DEMO)/index.html
	@echo
	@echo "Open      $(DEMO)/index.html        the funnel, every candidate with its verdict, the loss, the video"
	@echo "See also  $(DEMO)/selection.jsonl   every decision: rule, value, limit"
	@echo "          $(DEMO)/shards/           WebDataset shards"
	@echo "          $(DEMO)/dataset.json      what is in the dataset and what made it"
	@echo "          $(DEMO)/generated.mp4     a video by the model in Models/small; generated.json says what made it"
	@echo "          $(DEMO)/generated-here.mp4  the same by the model that was trained here for $(STEPS) steps"

test:
	Scripts/setup.sh samples python stores browser
	$(SWIFT_BUILD) --build-tests
	Scripts/test.sh

bench:
	Scripts/setup.sh samples speaker bench
	$(SWIFT_BUILD)
	.deps/bench/bin/python Benchmarks/bench.py --rows "$(ROWS)"

gpu-bundle: setup
	Scripts/gpu-bundle.sh

# Readers run under AddressSanitizer, in a build folder of their own; videos go through the usual executables.
SECONDS := 600
VIDEOS := 1000
FUZZ := .build-asan/debug/fuzz-loopy
fuzz:
	Scripts/setup.sh samples
	$(SWIFT_BUILD)
	swift build --sanitize=address --scratch-path .build-asan --product fuzz-loopy
	ASAN_OPTIONS=detect_leaks=0 $(FUZZ) readers --seconds $(SECONDS) --work out/fuzz
	ASAN_OPTIONS=detect_leaks=0 $(FUZZ) videos --count $(VIDEOS) --executables $(BIN) --work out/fuzz-videos

SOURCES := Package.swift Sources Tests Benchmarks Fuzzing Speaker
lint:
	swift format lint --strict -r $(SOURCES)

format:
	swift format -i -r $(SOURCES)

install:
	Scripts/setup.sh install
	$(SWIFT_BUILD)
	Scripts/install.sh "$(PREFIX)"

test-install: install
	Scripts/setup.sh samples
	Scripts/test-install.sh "$(PREFIX)"

test-clusters:
	Scripts/setup.sh samples
	$(SWIFT_BUILD)
	Scripts/test-clusters.sh

clean:
	rm -rf .build .build-asan .build-cuda gpu-bundle out

# `make demo` and `make test` are the whole set-up on a fresh Debian or Ubuntu that has only Rust.
CARGO ?= cargo
FEATURES ?= opencv,turbojpeg

.PHONY: demo test bench bench-peers fuzz soak lint doc setup backbone figures table check-exports check-recordings check-fleet check-image

setup:
	sh app/scripts/setup.sh

# The built-in road needs no OpenCV: only Rust and a linker.
demo:
	@command -v cc >/dev/null || sh app/scripts/setup.sh build-essential
	$(CARGO) run --release -p deltasteer -- demo

test: setup
	CARGO="$(CARGO)" app/scripts/test.sh --features "$(FEATURES)"

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets --features $(FEATURES) -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps --workspace --features $(FEATURES)

bench: setup
	$(CARGO) bench --workspace

# The frozen CNN's weights from where they were published: NAME is efficientnet-lite0, -lite1 or -lite2.
NAME ?= efficientnet-lite0
BLOCKS ?= 8
backbone:
	CARGO="$(CARGO)" sh app/scripts/backbone.sh $(NAME) $(BLOCKS)

# Our cells beside PyTorch, ONNX Runtime and candle, in a throw-away Python environment (or PEERS_PYTHON=some/python).
bench-peers: setup
	CARGO="$(CARGO)" sh app/scripts/bench_peers.sh

# The files that replay writes, judged by other people's tools.
check-exports: setup
	CARGO="$(CARGO)" sh app/scripts/check_exports.sh

# Recordings that other people's writers make, replayed and compared.
check-recordings: setup
	CARGO="$(CARGO)" sh data/scripts/check_recordings.sh

# FLEET.md's examples on a Slurm of this machine and on Ray.
check-fleet:
	CARGO="$(CARGO)" sh app/scripts/check_fleet.sh

# The image of app/Dockerfile: its size, its libraries, and eval and replay inside it.
check-image:
	CARGO="$(CARGO)" sh app/scripts/check_image.sh

# Every parser against so many damaged inputs, over 10 million in all, and whole recordings, in 4 GiB of address space.
# With a nightly compiler, data/fuzz runs the same parsers under cargo-fuzz.
CASES ?= 850000
fuzz:
	ulimit -v 4194304; PROPTEST_CASES=$(CASES) $(CARGO) test --release -p deltasteer-data --lib -- --nocapture fuzz::

# The README's pictures, from the results recorded in models/results.
figures:
	$(CARGO) run --release --quiet -p deltasteer -- figures models/results/thresholds.csv \
		--svg models/results/thresholds.svg --png models/results/thresholds.png
	$(CARGO) run --release --quiet -p deltasteer -- figures models/results/full-size.csv \
		--svg models/results/full-size.svg --png models/results/full-size.png
	$(CARGO) run --release --quiet -p deltasteer -- view road:7 --at 31 --size 1280x720 --theme dark \
		--overlays predicted,true,wheels,crop --screenshot models/results/window-dark.png
	$(CARGO) run --release --quiet -p deltasteer -- view road:4,size=640x320 --at 33 --size 1280x720 --theme light \
		--screenshot models/results/window-light.png

# Trains every recipe again and records what it reaches; needs DELTASTEER_DATA and about an hour.
table: setup
	$(CARGO) build --release --features $(FEATURES)
	sh models/recipes/table.sh

# A live feed that stalls, ends, restarts, changes its size and sends garbage, played and recorded: SECONDS=86400 for a day.
SECONDS ?= 180
soak: setup
	$(CARGO) build --release --features opencv -p deltasteer --bin deltasteer --example soak
	target/release/examples/soak $(SECONDS)

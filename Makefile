# `make demo` and `make test` are the whole set-up on a fresh Debian or Ubuntu that has only Rust.
CARGO ?= cargo
FEATURES ?= opencv

.PHONY: demo test bench bench-peers fuzz figures lint setup backbone

setup:
	sh app/scripts/setup.sh

demo: setup
	$(CARGO) run --release --features $(FEATURES) -- demo

test: setup
	$(CARGO) test --release --workspace --features $(FEATURES)

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets --features $(FEATURES) -- -D warnings

bench: setup
	$(CARGO) bench --workspace

backbone:
	sh app/scripts/backbone.sh

# Our cells beside PyTorch, ONNX Runtime and candle, in a throw-away Python environment (or PEERS_PYTHON=some/python).
bench-peers: setup
	CARGO="$(CARGO)" sh app/scripts/bench_peers.sh

# The readers against many more damaged files than `make test` tries, in 4 GiB of address space.
CASES ?= 5000
fuzz:
	ulimit -v 4194304; PROPTEST_CASES=$(CASES) $(CARGO) test --release -p deltasteer-data -- panic escapes

# The pictures of the README, drawn anew from the recorded tables.
figures:
	for table in models/figures/*.csv; do $(CARGO) run --release --quiet -p deltasteer -- sweep recorded --csv $$table --draw; done

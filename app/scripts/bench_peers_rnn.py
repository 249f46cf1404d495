"""One GRU step in PyTorch, ONNX Runtime, candle and deltasteer: same weights, same inputs, one thread each, interleaved.

`make bench-peers` runs it. In every round each peer takes its turn: one step that brings its weights back into the
caches, then a few timed ones. The smallest mean of its rounds counts, and the median stands beside it. Writes peers.csv and peers.svg (time saved against operations saved).
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import platform
import statistics
import struct
import subprocess
import tempfile
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
import onnx
import onnxruntime
import torch

STEPS = 8
FRAMES = 64


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def save_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, array in tensors.items():
        blob = numpy.ascontiguousarray(array, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Torch:
    name = "PyTorch GRUCell"

    def __init__(self, cell, x):
        self.cell = cell
        self.x = [torch.from_numpy(row[None]) for row in x]
        self.h = torch.zeros(1, cell.hidden_size)
        self.at = 0

    def check(self):
        h = torch.zeros(1, self.cell.hidden_size)
        with torch.inference_mode():
            for x in self.x:
                h = self.cell(x, h)
        return h.numpy().ravel()

    def step(self):
        self.at = (self.at + 1) % FRAMES
        self.h = self.cell(self.x[self.at], self.h)

    def round(self):
        with torch.inference_mode():
            self.step()
            start = time.perf_counter()
            for _ in range(STEPS):
                self.step()
            return (time.perf_counter() - start) / STEPS


class Onnx:
    name = "ONNX Runtime GRU"

    def __init__(self, cell, x):
        inputs, hidden = cell.input_size, cell.hidden_size
        # ONNX wants the gates in the order update, reset, candidate.
        order = lambda a: numpy.concatenate([a[hidden : 2 * hidden], a[:hidden], a[2 * hidden :]])
        w, r, b_x, b_h = (order(p.detach().numpy()) for p in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh))
        tensor = onnx.numpy_helper.from_array
        constants = [tensor(w[None], "W"), tensor(r[None], "R"), tensor(numpy.concatenate([b_x, b_h])[None], "B")]
        value = lambda name, *shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        node = onnx.helper.make_node(
            "GRU", ["X", "W", "R", "B", "", "H"], ["", "H2"], hidden_size=hidden, linear_before_reset=1
        )
        graph = onnx.helper.make_graph(
            [node], "gru", [value("X", 1, 1, inputs), value("H", 1, 1, hidden)], [value("H2", 1, 1, hidden)], constants
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.x = [onnxruntime.OrtValue.ortvalue_from_numpy(row[None, None]) for row in x]
        zero = lambda: onnxruntime.OrtValue.ortvalue_from_numpy(numpy.zeros((1, 1, hidden), numpy.float32))
        self.states = [zero(), zero()]
        self.binding = self.session.io_binding()
        self.at = 0

    def step(self):
        # Inputs and states are bound without copying; the two states take turns.
        self.binding.bind_ortvalue_input("X", self.x[self.at])
        self.binding.bind_ortvalue_input("H", self.states[0])
        self.binding.bind_ortvalue_output("H2", self.states[1])
        self.session.run_with_iobinding(self.binding)
        self.states.reverse()
        self.at = (self.at + 1) % FRAMES

    def check(self):
        for _ in range(FRAMES):
            self.step()
        return self.states[0].numpy().ravel()

    def round(self):
        self.step()
        start = time.perf_counter()
        for _ in range(STEPS):
            self.step()
        return (time.perf_counter() - start) / STEPS


class Ours:
    """The Rust process: our cells, and candle's."""

    def __init__(self, binary, weights):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([binary, weights], stdin=pipe, stdout=pipe, text=True)
        self.kernel = json.loads(self.process.stdout.readline())["kernel"]

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def measure(binary, inputs, hidden, occupancies, rounds, folder):
    torch.manual_seed(1)
    cell = torch.nn.GRUCell(inputs, hidden)
    x = torch.randn(FRAMES, inputs).numpy()
    weights = pathlib.Path(folder) / "gru.safetensors"
    tensors = {f"rnn.{name}_l0": parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    save_safetensors(weights, tensors | {"x": x})
    ours = Ours(binary, str(weights))
    peers = [Torch(cell, x), Onnx(cell, x)]
    check(ours, peers)
    times, facts = {}, {}
    for _ in range(rounds):
        for peer in peers:
            times.setdefault((peer.name, None), []).append(peer.round())
        for name, command, occupancy in [("candle-nn gru", "candle", None), ("deltasteer dense", "dense", None)] + [
            ("deltasteer delta", f"delta {occupancy}", occupancy) for occupancy in occupancies
        ]:
            answer = ours.ask(command)
            times.setdefault((name, occupancy), []).append(answer["seconds"])
            facts[name, occupancy] = answer
    ours.process.stdin.close()
    ours.process.wait()
    best = {key: min(values) for key, values in times.items()}
    dense_macs = 3 * hidden * (inputs + hidden)
    rows = []
    for (name, occupancy), seconds in best.items():
        macs = facts.get((name, occupancy), {}).get("macs", dense_macs)
        rows.append({
            "peer": name, "inputs": inputs, "hidden": hidden, "occupancy": 1 if occupancy is None else occupancy,
            "macs": macs, "step_us": round(seconds * 1e6, 3),
            "step_us_median": round(statistics.median(times[name, occupancy]) * 1e6, 3),
            "savings_macs": round(dense_macs / macs, 2) if macs else "",
            "faster_than_own_dense": round(best["deltasteer dense", None] / seconds, 2),
            "faster_than_pytorch": round(best["PyTorch GRUCell", None] / seconds, 2),
            "faster_than_onnxruntime": round(best["ONNX Runtime GRU", None] / seconds, 2),
            "faster_than_candle": round(best["candle-nn gru", None] / seconds, 2),
            "kernel": ours.kernel if name.startswith("deltasteer") else "",
        })  # fmt: skip
    return rows


def check(ours, peers):
    """All of them compute the same: otherwise the times mean nothing."""
    states = {peer.name: peer.check() for peer in peers}
    states |= {f"our {name}": numpy.array(h) for name, h in ours.ask("check").items()}
    reference = states.pop("PyTorch GRUCell")
    for name, h in states.items():
        error = float(numpy.abs(h - reference).max())
        print(f"  {name}: differs from PyTorch by {error:.1e} at most after {FRAMES} steps")
        if not error < 1e-5:
            raise SystemExit(f"{name} computes something else; not measured")


def picture(rows, path, title):
    """Time saved against operations saved, both logarithmic, with the ideal line."""
    width, height, left, bottom, top = 640, 480, 70, 60, 50
    largest = 2000.0
    log = numpy.log10
    place_x = lambda v: left + (width - left - 20) * log(v) / log(largest)
    place_y = lambda v: height - bottom - (height - bottom - top) * log(max(v, 0.5) / 0.5) / log(largest / 0.5)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">']
    out.append('<rect width="100%" height="100%" fill="white"/>')
    for v in (1, 10, 100, 1000):
        out.append(f'<path d="M{place_x(v):.1f} {top}V{height - bottom}M{left} {place_y(v):.1f}H{width - 20}" stroke="#ddd"/>')
        out.append(f'<text x="{place_x(v):.1f}" y="{height - bottom + 18}" text-anchor="middle">{v}x</text>')
        out.append(f'<text x="{left - 8}" y="{place_y(v) + 4:.1f}" text-anchor="end">{v}x</text>')
    ends = f"M{place_x(1):.1f} {place_y(1):.1f}L{place_x(largest):.1f} {place_y(largest):.1f}"
    out.append(f'<path d="{ends}" stroke="#888" stroke-dasharray="5 4"/>')
    out.append(f'<text x="{place_x(300):.1f}" y="{place_y(600):.1f}" text-anchor="end" fill="#666">ideal: time as operations</text>')
    out.append(f'<text x="{width / 2}" y="22" text-anchor="middle" font-size="14">{title}</text>')
    out.append(f'<text x="{width / 2}" y="{height - 18}" text-anchor="middle">operations saved (dense / delta)</text>')
    out.append(f'<text transform="translate(18 {height / 2}) rotate(-90)" text-anchor="middle">time saved (own dense step / delta step)</text>')
    sizes = sorted({(row["inputs"], row["hidden"]) for row in rows}, key=lambda s: s[0] * s[1])
    for place, (size, colour) in enumerate(zip(sizes, ("#1b6ca8", "#c1440e", "#2e8b57", "#7a4fa3"))):
        points = [row for row in rows if (row["inputs"], row["hidden"]) == size and row["peer"] == "deltasteer delta"]
        points = sorted((float(p["savings_macs"]), float(p["faster_than_own_dense"])) for p in points if p["savings_macs"])
        path_d = "L".join(f"{place_x(x):.1f} {place_y(y):.1f}" for x, y in points)
        out.append(f'<path d="M{path_d}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        label = f"{size[0]} inputs, {size[1]} hidden"
        out.append(f'<text x="{left + 12}" y="{top + 16 + 16 * place}" fill="{colour}">{label}</text>')
    path.write_text("\n".join(out + ["</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the built bench `peers`")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for peers.csv and peers.svg")
    parser.add_argument("--sizes", default="128x64,512x512,2048x2048")
    parser.add_argument("--occupancies", default="0.001,0.003,0.01,0.03,0.1,0.3,1")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes.split(","):
            inputs, hidden = map(int, size.split("x"))
            print(f"{inputs} inputs, {hidden} hidden units:")
            occupancies = [float(o) for o in options.occupancies.split(",")]
            # A share below one column of a small layer would measure something else than it says.
            occupancies = [o for o in occupancies if o * (inputs + hidden) >= 0.75]
            # Long steps need fewer rounds.
            rounds = max(8, min(options.rounds, options.rounds * 512 * 1024 // (hidden * (inputs + hidden))))
            rows += measure(options.ours, inputs, hidden, occupancies, rounds, folder)
    here = {"machine": machine(), "date": datetime.date.today().isoformat(), "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__}  # fmt: skip
    rows = [row | here for row in rows]
    options.out.mkdir(parents=True, exist_ok=True)
    partial = options.out / "peers.csv.partial"
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.rename(options.out / "peers.csv")
    picture(rows, options.out / "peers.svg", f"Delta GRU on {here['machine']}, one thread, {here['date']}")
    for row in rows:
        print(f"{row['peer']:18} {row['inputs']:5}x{row['hidden']:<5} {row['occupancy']:<6} {row['step_us']:10.3f} us"
              f"  own dense/{row['faster_than_own_dense']:<7} PyTorch/{row['faster_than_pytorch']:<8}"
              f" ONNX Runtime/{row['faster_than_onnxruntime']:<8} candle/{row['faster_than_candle']}")  # fmt: skip


if __name__ == "__main__":
    main()

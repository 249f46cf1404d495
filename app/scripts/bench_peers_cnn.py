"""One frame through the frozen trunk: deltasteer, ONNX Runtime and PyTorch in turns, with the same weights and picture.

usage: python app/scripts/bench_peers_cnn.py [TENSORS.safetensors] [--rounds N]     (needs torch, onnxruntime, onnx, safetensors, numpy)
Prints, on one thread, the fastest and the median time a frame of each runtime and our share of theirs: once as
the ratio of the fastest frames, once as the median of the ratios of single turns, which a busy machine disturbs least.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

WIDTH, HEIGHT, STRIDES, TURN = 256, 96, [1, 2, 1, 2, 1], 20


class Trunk(torch.nn.Module):
    """Stem and five blocks of EfficientNet-Lite0 with folded batch norms, then the average over 3 x 2 positions."""

    def __init__(self, path):
        super().__init__()
        tensors = {name: value.float() for name, value in load_file(path).items() if name.startswith("trunk.")}
        self.layers = torch.nn.ModuleDict()
        for name in sorted({name.rsplit(".", 1)[0] for name in tensors}):
            weight, bias = tensors[name + ".weight"], tensors[name + ".bias"]
            index = int(name.split(".")[1][len("block"):]) if "block" in name else -1
            if index >= len(STRIDES):
                continue
            depthwise, stride = name.endswith("depthwise"), 1
            if depthwise or index < 0:
                stride = 2 if index < 0 else STRIDES[index]
            total = weight.shape[2] - stride
            groups = weight.shape[0] if depthwise else 1
            # A convolution that pads by itself where both sides are equal: the form that runtimes fuse best.
            even = total % 2 == 0
            conv = torch.nn.Conv2d(weight.shape[1] * groups, weight.shape[0], weight.shape[2], stride,
                                   total // 2 if even else 0, 1, groups)
            conv.weight.data, conv.bias.data = weight, bias
            pad = [] if even else [torch.nn.ZeroPad2d((total // 2, total - total // 2) * 2)]
            self.layers[name.replace(".", "_")] = torch.nn.Sequential(*pad, conv)

    def forward(self, x):
        x = F.relu6(self.layers["trunk_stem"](x))
        for index, stride in enumerate(STRIDES):
            inputs, name = x, f"trunk_block{index}_"
            if name + "expand" in self.layers:
                x = F.relu6(self.layers[name + "expand"](x))
            x = F.relu6(self.layers[name + "depthwise"](x))
            x = self.layers[name + "project"](x)
            x = x + inputs if stride == 1 and x.shape == inputs.shape else x
        return F.avg_pool2d(x, (3, 2)).flatten()


def picture():
    y, x = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), indexing="ij")
    rgb = np.stack([(x * 3 + y) % 256, (x * y // 7) % 256, (x // 16 * 40 + y // 16 * 90) % 256])
    return ((rgb.astype(np.float32) - 127) / 128)[None]


def timed(run, frames):
    times = []
    for _ in range(frames):
        start = time.perf_counter()
        output = run()
        times.append((time.perf_counter() - start) * 1e3)
    return times, np.asarray(output).ravel()


def ours(path):
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "run", "--release", "--quiet", "-p", "deltasteer-perception", "--example", "peers", "--", path]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process, frames):
    process.stdin.write(f"{frames}\n")
    process.stdin.flush()
    reply = json.loads(process.stdout.readline())
    return reply["ms"], np.array(reply["cells"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tensors", nargs="?", default="models/trunk/efficientnet-lite0.safetensors")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    model, image = Trunk(arguments.tensors).eval(), picture()
    process, tensor, report = ours(arguments.tensors), torch.from_numpy(image), []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        onnx = os.path.join(folder, "trunk.onnx")
        torch.onnx.export(model, (tensor,), onnx, input_names=["x"], output_names=["y"], dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        torch.set_num_threads(1)
        runtimes = {
            "deltasteer": lambda frames: ask(process, frames),
            "onnxruntime": lambda frames: timed(lambda: session.run(None, {"x": image})[0], frames),
            "pytorch": lambda frames: timed(lambda: model(tensor).numpy(), frames),
        }
        outputs = {name: run(3)[1] for name, run in runtimes.items()}
        for name, output in outputs.items():
            error = np.abs(output - outputs["pytorch"]).max() / np.abs(outputs["pytorch"]).max()
            assert error < 1e-4, f"{name} computes something else: {error}"
        times = {name: [] for name in runtimes}
        for _ in range(arguments.rounds):
            for name, run in runtimes.items():
                times[name].append(run(TURN if name != "pytorch" else TURN // 2)[0][2:])  # the first two frames of a turn warm the caches
        fastest = {name: min(map(min, turns)) for name, turns in times.items()}
        medians = {name: [float(np.median(turn)) for turn in turns] for name, turns in times.items()}
        for name in runtimes:
            ratios = np.array(medians["deltasteer"]) / np.array(medians[name])
            row = {"runtime": name, "threads": 1, "fastest_ms": round(fastest[name], 4),
                   "median_ms": round(float(np.median(medians[name])), 4),
                   "ours_of_fastest": round(fastest["deltasteer"] / fastest[name], 3),
                   "ours_of_turn": round(float(np.median(ratios)), 3)}
            report.append(row)
            print(json.dumps(row), flush=True)
    process.stdin.close()
    return process.wait()


if __name__ == "__main__":
    raise SystemExit(main())

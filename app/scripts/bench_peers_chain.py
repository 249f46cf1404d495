"""From JPEG files to angles: `deltasteer replay` and a Python script with OpenCV that does the same, in turns.

usage: python app/scripts/bench_peers_chain.py DELTASTEER DRIVE [--model DIR] [--own DIR] [--from S --to S] [--rounds N]
       (needs torch, onnx, onnxruntime, opencv-python-headless, safetensors, numpy; DRIVE in Udacity Challenge 2's layout, center/*.jpg)
The Python chain is the usual one: cv2.imread, crop, cv2.resize, the CNN in PyTorch or ONNX Runtime and a GRUCell in PyTorch, one frame
at a time, on two threads. Chains are timed from the first file to the last angle, loading of the model and of the libraries left out.
With --model all look at every frame, and their angles must agree; `own` is another model, --own, with the setting that it is shipped with.
"""
import argparse
import csv
import json
import pathlib
import re
import subprocess
import tempfile
import time

import cv2
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from bench_peers_cnn import Trunk


class Chain(torch.nn.Module):
    """The whole network of a model folder, run densely."""

    def __init__(self, folder):
        super().__init__()
        path = f"{folder}/model.safetensors"
        self.config = json.loads(pathlib.Path(folder, "config.json").read_text())["perception"]
        weights = {name: value.float() for name, value in load_file(path).items()}
        self.weights = weights
        object.__setattr__(self, "trunk", Trunk(path))  # a plain attribute: `to_onnx` puts a function in its place
        three_hidden, inputs = weights["rnn.weight_ih_l0"].shape
        self.gru = torch.nn.GRUCell(inputs, three_hidden // 3)
        for name, parameter in self.gru.named_parameters():
            parameter.data = weights[f"rnn.{name}_l0"]
        self.state = None

    def to_onnx(self, folder):
        """From here on ONNX Runtime runs the trunk."""
        path, inputs = f"{folder}/trunk.onnx", (1, 3, self.config["input_height"], self.config["input_width"])
        torch.onnx.export(self.trunk, (torch.zeros(inputs),), path, input_names=["x"], output_names=["y"], dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.trunk = lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
        return self

    def forward(self, x):
        pooled, weights = self.trunk(x), self.weights
        features = F.relu(F.linear(pooled, weights["feature.weight"], weights["feature.bias"])) / weights["feature.std"]
        self.state = self.gru(features[None], self.state)
        return float(F.linear(self.state, weights["head.weight"], weights["head.bias"]))

    def angle(self, path):
        config, image = self.config, cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        top, bottom = (round(row * image.shape[0] / 480) for row in config["crop_rows_of_480"])
        size = (config["input_width"], config["input_height"])
        small = cv2.resize(image[top:bottom], size, interpolation=cv2.INTER_AREA).astype(np.float32)
        small = (small - config["pixel_mean"]) / config["pixel_scale"]
        return self(torch.from_numpy(small.transpose(2, 0, 1)[None]))


def ours(arguments, model, folder):
    """Angles of the dense GRU by frame, and seconds."""
    table = f"{folder}/out.csv"
    command = [arguments.deltasteer, "replay", arguments.drive, "--model", model, "--csv", table,
               "--from", str(getattr(arguments, "from")), "--to", str(arguments.to)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with open(table, newline="") as rows:
        angles = {int(row["frame"]): float(row["steering_dense_rad"]) for row in csv.DictReader(rows)}
    return angles, float(re.search(r"frames +\d+ in ([0-9.]+) s", said)[1])


def theirs(chain, files, frames):
    chain.state = None
    start = time.perf_counter()
    angles = {frame: chain.angle(files[frame]) for frame in frames}
    return angles, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deltasteer")
    parser.add_argument("drive")
    parser.add_argument("--model", default="models/ch2-frames")
    parser.add_argument("--own", default="models/ch2")
    parser.add_argument("--from", type=float, default=0.0)
    parser.add_argument("--to", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    files = sorted(str(path) for path in pathlib.Path(arguments.drive, "center").glob("*.jpg"))
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        peers = {"pytorch": Chain(arguments.model).eval(), "onnxruntime": Chain(arguments.model).eval().to_onnx(folder)}
        frames = sorted(ours(arguments, arguments.model, folder)[0])
        for chain in peers.values():
            theirs(chain, files, frames[:20])  # warms files and caches
        rates = []
        for _ in range(arguments.rounds):
            angles, seconds = ours(arguments, arguments.model, folder)
            rate = {"every_frame": len(frames) / seconds, "own": len(frames) / ours(arguments, arguments.own, folder)[1]}
            for name, chain in peers.items():
                python, seconds = theirs(chain, files, frames)
                error = max(abs(angles[frame] - python[frame]) for frame in frames)
                assert error < 0.02, f"{name}: the chains disagree by {error} rad"
                rate[name] = len(frames) / seconds
            rates.append(rate)
            print(json.dumps({"frames": len(frames), **{f"{name}_hz": round(hz, 1) for name, hz in rate.items()}}), flush=True)
    for ours_, peer in ((ours_, peer) for ours_ in ("every_frame", "own") for peer in peers):
        ratios = [rate[ours_] / rate[peer] for rate in rates]
        print(json.dumps({"deltasteer": ours_, "peer": peer, "faster_median": round(float(np.median(ratios)), 2),
                          "from": round(min(ratios), 2), "to": round(max(ratios), 2), "rounds": len(ratios)}))


if __name__ == "__main__":
    main()

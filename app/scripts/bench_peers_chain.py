"""From JPEG files to angles: `deltasteer replay` and a Python script with OpenCV and PyTorch that does the same, in turns.

usage: python app/scripts/bench_peers_chain.py DELTASTEER DRIVE [--model DIR] [--from S --to S] [--rounds N]
       (needs torch, opencv-python-headless, safetensors, numpy; DRIVE in Udacity Challenge 2's layout with center/*.jpg)
The Python chain is the usual one: cv2.imread, crop, cv2.resize, the CNN and a GRUCell in PyTorch, one frame at a time, on two threads.
Both chains are timed from the first file to the last angle, loading of the model and of the libraries left out. Their angles must agree.
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
        self.trunk, self.weights = Trunk(path), weights
        three_hidden, inputs = weights["rnn.weight_ih_l0"].shape
        self.gru = torch.nn.GRUCell(inputs, three_hidden // 3)
        for name, parameter in self.gru.named_parameters():
            parameter.data = weights[f"rnn.{name}_l0"]
        self.state = None

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


def ours(arguments, folder):
    """Angles of the dense GRU by frame, and seconds."""
    table = f"{folder}/out.csv"
    command = [arguments.deltasteer, "replay", arguments.drive, "--model", arguments.model, "--csv", table,
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
    parser.add_argument("--from", type=float, default=0.0)
    parser.add_argument("--to", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    files = sorted(str(path) for path in pathlib.Path(arguments.drive, "center").glob("*.jpg"))
    chain, ratios = Chain(arguments.model).eval(), []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        expected, _ = ours(arguments, folder)
        frames = sorted(expected)
        theirs(chain, files, frames[:20])  # warms files and caches
        for _ in range(arguments.rounds):
            angles, our_s = ours(arguments, folder)
            python, python_s = theirs(chain, files, frames)
            error = max(abs(angles[frame] - python[frame]) for frame in frames)
            assert error < 0.02, f"the chains disagree by {error} rad"
            ratios.append(python_s / our_s)
            print(json.dumps({"frames": len(frames), "deltasteer_hz": round(len(frames) / our_s, 1),
                              "python_hz": round(len(frames) / python_s, 1), "faster": round(ratios[-1], 3),
                              "largest_difference_rad": round(error, 5)}), flush=True)
    print(json.dumps({"faster_median": round(float(np.median(ratios)), 3), "from": round(min(ratios), 3),
                      "to": round(max(ratios), 3), "rounds": len(ratios)}))


if __name__ == "__main__":
    main()

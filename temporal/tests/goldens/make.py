"""Makes gru_*.safetensors for temporal/tests/pytorch.rs: PyTorch's own GRUs with small random weights, an input sequence
`x[frames, inputs]` and PyTorch's output for it, `y[frames, directions * hidden]`.

Run with any Python that has torch and safetensors: python temporal/tests/goldens/make.py
"""

import pathlib

import torch
from safetensors.torch import save_file

CASES = {
    "single": dict(input_size=3, hidden_size=5),
    "wide": dict(input_size=1, hidden_size=17),
    "no_bias": dict(input_size=8, hidden_size=4, bias=False),
    "two_layers": dict(input_size=6, hidden_size=7, num_layers=2),
    "bidirectional": dict(input_size=4, hidden_size=6, num_layers=2, bidirectional=True),
}

torch.manual_seed(1)
for name, sizes in CASES.items():
    gru = torch.nn.GRU(**sizes)
    x = torch.randn(20, sizes["input_size"])
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.mul_(1.5)
        y, _ = gru(x)
    state = {f"gru.{key}": value.contiguous() for key, value in gru.state_dict().items()}
    path = pathlib.Path(__file__).with_name(f"gru_{name}.safetensors")
    save_file(state | {"x": x, "y": y.contiguous()}, path, metadata={"torch": torch.__version__})
    print(path, path.stat().st_size, "bytes")

"""Makes gru.json: PyTorch's own GRU on small random weights, for temporal/tests/goldens.rs.

Run with any Python that has torch: python temporal/tests/goldens/make.py
The matrices are written column by column ([inputs][3 * hidden]), as deltasteer keeps them.
"""

import json
import pathlib

import torch


def case(inputs, hidden, steps, seed):
    torch.manual_seed(seed)
    gru = torch.nn.GRU(inputs, hidden)
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.mul_(1.5)
        x = torch.randn(steps, inputs)
        h, _ = gru(x)
    flat = lambda tensor: [round(value, 9) for value in tensor.detach().flatten().tolist()]
    return {
        "inputs": inputs,
        "hidden": hidden,
        "steps": steps,
        "w_x": flat(gru.weight_ih_l0.T),
        "w_h": flat(gru.weight_hh_l0.T),
        "b_x": flat(gru.bias_ih_l0),
        "b_h": flat(gru.bias_hh_l0),
        "x": flat(x),
        "h": flat(h),
    }


cases = [case(3, 5, 12, 1), case(8, 4, 12, 2), case(1, 17, 6, 3)]
path = pathlib.Path(__file__).with_name("gru.json")
path.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")
print(path, path.stat().st_size, "bytes")

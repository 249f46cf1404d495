"""Writes train.json: loss and gradients of a small delta GRU, unrolled over a batch of windows, by PyTorch's autograd.

The comparison with the threshold is a torch.where on a detached condition, so autograd gives the straight-through gradient:
to the sent value where it was transmitted, to the older reference where not. Run with torch 2.x: python make_train.py
"""
import json

import torch

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
INPUTS, HIDDEN, FRAMES, BATCH = 6, 5, 12, 4


def encode(value, reference, theta):
    delta = value - reference
    send = (delta.abs() >= theta).detach()
    zero = torch.zeros_like(delta)
    return torch.where(send, value, reference), torch.where(send, delta, zero).abs().sum(), int(send.sum())


def case(theta_x, theta_h, beta_x, beta_h):
    walk = torch.randn(FRAMES, BATCH, INPUTS) * 0.5
    x = walk.cumsum(0).clamp(min=0).float().double().requires_grad_()
    gru = torch.nn.GRU(INPUTS, HIDDEN)
    head = torch.nn.Linear(HIDDEN, 1)
    for p in [*gru.parameters(), *head.parameters()]:
        p.data = p.data.float().double()
    target = (torch.randn(FRAMES, BATCH) * 0.3).float().double()
    w_i, w_h, b_i, b_h = gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0
    h = torch.zeros(BATCH, HIDDEN)
    x_ref, h_ref = torch.zeros(BATCH, INPUTS), torch.zeros(BATCH, HIDDEN)
    cost, outputs, sent = 0.0, [], 0
    for t in range(FRAMES):
        x_ref, moved_x, sent_x = encode(x[t], x_ref, theta_x)
        h_ref, moved_h, sent_h = encode(h, h_ref, theta_h)
        cost = cost + (beta_x * moved_x + beta_h * moved_h) / (FRAMES * BATCH)
        sent += sent_x + sent_h
        i_r, i_z, i_n = (x_ref @ w_i.T + b_i).chunk(3, 1)
        h_r, h_z, h_n = (h_ref @ w_h.T + b_h).chunk(3, 1)
        r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
        h = (1 - z) * torch.tanh(i_n + r * h_n) + z * h
        outputs.append(head(h)[:, 0])
    outputs = torch.stack(outputs)
    if theta_x == 0 and theta_h == 0:  # PyTorch's own GRU must agree
        states, _ = gru(x)
        assert torch.allclose(head(states)[..., 0], outputs, atol=1e-12)
    mse = ((outputs - target) ** 2).mean()
    (mse + cost).backward()
    flat = lambda *tensors: [v for t in tensors for v in t.detach().flatten().tolist()]
    grads = [p.grad for p in (w_i, w_h, b_i, b_h, head.weight, head.bias)]
    return dict(
        theta_x=theta_x, theta_h=theta_h, beta_x=beta_x, beta_h=beta_h, sent=sent, mse=mse.item(), x=flat(x), target=flat(target),
        outputs=flat(outputs), parameters=flat(w_i.T, w_h.T, b_i, b_h, head.weight, head.bias),
        gradient=flat(grads[0].T, grads[1].T, *grads[2:]), dx=flat(x.grad),
    )


golden = dict(inputs=INPUTS, hidden=HIDDEN, frames=FRAMES, batch=BATCH,
              cases=[case(0, 0, 0, 0), case(0.4, 0.1, 0, 0), case(0.4, 0.1, 0.02, 0.05)])
json.dump(golden, open("train.json", "w"))

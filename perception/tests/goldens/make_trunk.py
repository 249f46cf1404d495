"""Makes trunk.safetensors: the trunk's averaged output in PyTorch, once with the published model, once with the shipped weights.

usage: python make_trunk.py CHECKPOINT.pth SHIPPED.safetensors OUT.safetensors   (needs torch, safetensors, efficientnet-lite-pytorch)
"""
import sys
import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file, save_file

WIDTH, HEIGHT, BLOCKS = 256, 96, 5
STRIDES = [1, 2, 1, 2, 1]


def picture():
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rgb = torch.stack([(x * 3 + y) % 256, (x * y // 7) % 256, (x // 16 * 40 + y // 16 * 90) % 256])
    return ((rgb.float() - 127) / 128)[None]


def same(x, weight, stride, groups=1, bias=None):
    total = weight.shape[2] - stride
    x = F.pad(x, (total // 2, total - total // 2) * 2)
    return F.conv2d(x, weight, bias, stride, 0, 1, groups)


def published(path):
    model = EfficientNet.from_name("efficientnet-lite0").eval()
    model.load_state_dict(torch.load(path, map_location="cpu"))
    x = picture()
    x = F.relu6(model._bn0(same(x, model._conv_stem.weight, 2)))
    for block, stride in zip(model._blocks[:BLOCKS], STRIDES):
        inputs = x
        if hasattr(block, "_expand_conv"):
            x = F.relu6(block._bn0(same(x, block._expand_conv.weight, 1)))
        x = F.relu6(block._bn1(same(x, block._depthwise_conv.weight, stride, x.shape[1])))
        x = block._bn2(same(x, block._project_conv.weight, 1))
        x = x + inputs if stride == 1 and x.shape == inputs.shape else x
    return x


def shipped(path):
    tensors = {name: value.float() for name, value in load_file(path).items()}

    def layer(x, name, stride=1, groups=1):
        return same(x, tensors[name + ".weight"], stride, groups, tensors[name + ".bias"])

    x = F.relu6(layer(picture(), "trunk.stem", 2))
    for index, stride in enumerate(STRIDES):
        inputs, name = x, f"trunk.block{index}"
        if name + ".expand.weight" in tensors:
            x = F.relu6(layer(x, name + ".expand"))
        x = F.relu6(layer(x, name + ".depthwise", stride, x.shape[1]))
        x = layer(x, name + ".project")
        x = x + inputs if stride == 1 and x.shape == inputs.shape else x
    return x


checkpoint, weights, out = sys.argv[1:]
with torch.no_grad():
    pool = lambda x: F.adaptive_avg_pool2d(x, (4, 16)).flatten().contiguous()
    save_file({"pooled_published": pool(published(checkpoint)), "pooled_shipped": pool(shipped(weights))}, out)

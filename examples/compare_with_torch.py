#!/usr/bin/env python3
"""Holds `gqa attend` against PyTorch: makes tensors, runs the command, compares o and lse with float64 attention.

    python3 examples/compare_with_torch.py [--adapter NAME] [--seed N]

Needs torch and numpy, and a clone of this project after `npm ci`. Exit code 1 past the bound, which is the project's own:
twice the worst error of PyTorch's float32 attention, plus 1e-6 of the largest expected magnitude.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int32: "I32"}
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# batch, query heads, KV heads, query positions, tokens, head dim, dtype, more options
CASES = [
    (2, 32, 8, 1, 777, 128, torch.float32, []),
    (2, 32, 8, 1, 777, 128, torch.float32, ["--kernel", "plain"]),
    (1, 8, 8, 5, 300, 64, torch.float16, ["--kv-dtype", "f16"]),
    (3, 6, 1, 8, 129, 80, torch.bfloat16, []),
    (3, 6, 2, 8, 129, 256, torch.bfloat16, ["--no-causal"]),
    (1, 71, 1, 1, 513, 64, torch.float32, ["--scale", "0.3"]),
]


def save(path, tensors):
    header, blobs, offset = {}, [], 0
    for name, tensor in tensors.items():
        raw = tensor.contiguous()
        raw = (raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw).numpy().tobytes()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        blobs.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load_f32(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(
            np.frombuffer(data[info["data_offsets"][0] : info["data_offsets"][1]], dtype=np.float32).copy()
        ).reshape(info["shape"])
        for name, info in header.items()
    }


def attention(q, k, v, lens, causal, scale):
    """o and natural log-sum-exp; causal masks are aligned bottom-right."""
    group = q.shape[1] // k.shape[1]
    scores = q @ k.repeat_interleave(group, 1).transpose(-1, -2) * scale
    q_len, tokens = q.shape[2], k.shape[2]
    hidden = q_len - 1 - torch.arange(q_len).view(1, 1, q_len, 1) if causal else 0
    visible = torch.arange(tokens).view(1, 1, 1, tokens) < lens.view(-1, 1, 1, 1) - hidden
    scores = scores.masked_fill(~visible, float("-inf"))
    return torch.softmax(scores, -1) @ v.repeat_interleave(group, 1), torch.logsumexp(scores, -1)


def worst(got, want):
    return float((got.double() - want.double()).abs().max())


def run(case, adapter, folder):
    batch, heads, kv_heads, q_len, tokens, dim, dtype, options = case
    lens = torch.randint(max(q_len, tokens // 2), tokens + 1, (batch,), dtype=torch.int32)
    q = torch.randn(batch, heads, q_len, dim).to(dtype)
    k, v = (torch.randn(batch, kv_heads, tokens, dim).to(dtype) for _ in range(2))
    source, target = os.path.join(folder, "in.safetensors"), os.path.join(folder, "out.safetensors")
    save(source, {"q": q, "k": k, "v": v, "kv_lens": lens})
    command = ["npx", "gqa", "attend", source, "--out", target, *options, *(["--adapter", adapter] if adapter else [])]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    out = load_f32(target)

    if "f16" in options:
        k, v = k.half(), v.half()
    scale = float(options[options.index("--scale") + 1]) if "--scale" in options else dim**-0.5
    mask = "--no-causal" not in options
    truth = attention(q.double(), k.double(), v.double(), lens, mask, scale)
    naive = attention(q.float(), k.float(), v.float(), lens, mask, scale)
    ok = True
    for name, want, plain in zip(("o", "lse"), truth, naive):
        error = worst(out[name], want)
        bound = 2 * worst(plain, want) + 1e-6 * float(want.abs().max())
        right = error <= bound < float("inf")  # NaN and a bound that holds anything are not
        ok = ok and right
        print(f"{'ok  ' if right else 'WRONG'} {name:3} error {error:.1e} bound {bound:.1e}  {list(q.shape)} {list(k.shape)} {dtype} {' '.join(options)}")
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        results = [run(case, args.adapter, folder) for case in CASES]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

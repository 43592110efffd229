#!/usr/bin/env python3
"""Holds `gqa attend` against attention in numpy and, where it is installed, PyTorch: makes tensors, runs the command, compares.

    python3 examples/compare_with_torch.py [--adapter NAME] [--seed N] [--only WORD]

Needs numpy, and a clone of this project after `npm ci`. Exit code 1 past the bound, which is the project's own: twice the worst
error of plain float32 attention, plus 1e-6 of the largest expected magnitude. With torch, what is expected has to agree with
its float64 operations too.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

try:
    import torch
except ImportError:
    torch = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EMPTY = float(np.float32(-3e38))  # the log-sum-exp of a query that sees no key

# batch, query heads, KV heads, query positions, tokens, head dims of K and V, dtype, options; see `features` for the names
CASES = [
    (2, 32, 8, 1, 777, 128, 128, "F32", ""),
    (2, 32, 8, 1, 777, 128, 128, "F32", "--kernel plain"),
    (1, 8, 8, 5, 300, 64, 64, "F16", "--kv-dtype f16"),
    (3, 6, 1, 8, 129, 80, 80, "BF16", ""),
    (3, 6, 2, 8, 129, 256, 256, "BF16", "--causal none"),
    (1, 71, 1, 1, 513, 64, 64, "F32", "--scale 0.3"),
    (2, 6, 2, 3, 100, 40, 24, "F32", "--page-size 16"),
    (2, 6, 2, 3, 100, 21, 10, "F32", "--softcap 0.5"),
    (2, 6, 2, 4, 100, 64, 64, "F32", "--window 7"),
    (2, 6, 2, 4, 100, 64, 64, "F32", "--window 7 --sink-tokens 4"),
    (2, 6, 2, 1, 100, 64, 64, "F32", "--sink-logits sinks"),
    (2, 12, 3, 3, 100, 64, 64, "F32", "--alibi"),
    (2, 6, 2, 3, 100, 64, 64, "F32", "--bias bias"),
    (2, 6, 2, 3, 100, 64, 64, "F32", "--mask seen --causal none"),
    (2, 6, 2, 19, 30, 8, 8, "F32", "--mask mask --bias bias --softcap 2"),
    (2, 6, 2, 5, 9, 32, 32, "F32", "--causal first-key --past-k past_k --past-v past_v"),
    (1, 4, 2, 12, 12, 32, 16, "F32", "--causal first-key --window 3 --alibi --sink-logits sinks"),
    (2, 6, 2, 3, 100, 64, 64, "F32", "--rope-base 500000"),
    (2, 6, 2, 5, 9, 40, 40, "F32", "--rope-base 10000 --rope-style interleaved --rope-dim 10 --past-k past_k --past-v past_v"),
]


def rounded(values, dtype):
    """Values that the type can hold, as float32, and the bytes that a file has of them."""
    if dtype == "F16":
        half = values.astype(np.float16)
        return half.astype(np.float32), half.tobytes()
    if dtype == "BF16":  # cut, not rounded: which it is does not matter, as long as both sides see the same
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32) >> 16
        return (bits << 16).view(np.float32), bits.astype(np.uint16).tobytes()
    kind = {"F32": np.float32, "I32": np.int32, "BOOL": np.bool_}[dtype]
    return values.astype(kind), np.ascontiguousarray(values, dtype=kind).tobytes()


def save(path, tensors):
    header, blobs, offset = {}, [], 0
    for name, (shape, dtype, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(raw)]}
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
        name: np.frombuffer(data[slice(*info["data_offsets"])], dtype=np.float32).reshape(info["shape"])
        for name, info in header.items()
    }


def alibi_slopes(heads):
    """As the paper's code: a geometric sequence for a power of two, and every other one of twice as many for the rest."""
    power = 1
    while power * 2 <= heads:
        power *= 2
    first = [2 ** (-8 * (n + 1) / power) for n in range(power)]
    return np.array((first + [2 ** (-4 * (n + 1) / power) for n in range(0, 2 * power, 2)])[:heads])


def turned(rows, positions, options):
    """Rows [B, heads, L, D] with their pairs turned, by positions [B, L], as transformers does for Llama and GPT-J."""
    dim = int(options.get("rope-dim", rows.shape[-1]))
    inverse = float(options["rope-base"]) ** (-np.arange(0, dim, 2) / dim)
    angles = positions[:, None, :, None] * inverse
    turns = np.exp(1j * angles)
    first, rest = rows[..., :dim], rows[..., dim:]
    if options.get("rope-style") == "interleaved":
        pairs = (first[..., ::2] + 1j * first[..., 1::2]) * turns
        first = np.stack([pairs.real, pairs.imag], -1).reshape(first.shape)
    else:
        pairs = (first[..., : dim // 2] + 1j * first[..., dim // 2 :]) * turns
        first = np.concatenate([pairs.real, pairs.imag], -1)
    return np.concatenate([first, rest], -1).astype(np.float32)


def visible(case, lens, past, extra):
    """Which keys each query sees, [B, Hq, Lq, T], and the key that is each query's own, [B, 1, Lq, 1]."""
    batch, heads, _, q_len, tokens = case["sizes"]
    options = case["options"]
    keys = np.arange(tokens).reshape(1, 1, 1, tokens)
    ends = lens.reshape(-1, 1, 1, 1)
    position = np.arange(q_len).reshape(1, 1, q_len, 1)
    own = past + position + 0 * ends if options.get("causal") == "first-key" else ends - q_len + position
    seen = np.broadcast_to(keys < ends, (batch, heads, q_len, tokens))
    if options.get("causal") != "none":
        seen = seen & (keys <= own)
    if "window" in options:
        kept = int(options.get("sink-tokens", 0))
        seen = seen & ((keys > own - int(options["window"])) | (keys < kept))
    if options.get("mask") == "seen":
        seen = seen & extra["seen"]
    return seen, own


def added(case, own, extra):
    """What is added to scores after the cap."""
    _, heads, _, _, tokens = case["sizes"]
    options, total = case["options"], np.zeros((1, 1, 1, 1))
    if "alibi" in options:
        total = total + alibi_slopes(heads).reshape(1, -1, 1, 1) * (np.arange(tokens).reshape(1, 1, 1, -1) - own)
    if "bias" in options:
        total = total + extra["bias"]
    if options.get("mask") == "mask":
        total = total + extra["mask"]
    return total


def attention(q, k, v, scale, seen, add, softcap=None, sinks=None):
    """o and natural log-sum-exp, in the precision of q."""
    kind = q.dtype
    group = q.shape[1] // k.shape[1]
    scores = q @ np.repeat(k, group, 1).swapaxes(-1, -2) * kind.type(scale)
    if softcap is not None:
        scores = kind.type(softcap) * np.tanh(scores / kind.type(softcap))
    scores = np.where(seen, scores + add.astype(kind), kind.type(-np.inf))
    most = scores.max(-1, keepdims=True)
    if sinks is not None:
        sinks = sinks.astype(kind).reshape(1, -1, 1, 1)
        most = np.maximum(most, sinks)
    most = np.where(np.isinf(most), kind.type(0), most)
    weights = np.exp(scores - most)
    total = weights.sum(-1, keepdims=True) + (0 if sinks is None else np.exp(sinks - most))
    nothing = total == 0
    total = np.where(nothing, kind.type(1), total)
    o = (weights / total) @ np.repeat(v, group, 1)
    return o, np.where(nothing, EMPTY, np.log(total) + most)[..., 0]


def agrees_with_torch(q, k, v, scale, seen, add, softcap, sinks, want):
    """Whether torch's operations give the same; rows that see no key are not compared, their softmax is NaN in torch."""
    q, k, v, add = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)) for x in (q, k, v, add))
    group = q.shape[1] // k.shape[1]
    scores = torch.matmul(q, k.repeat_interleave(group, 1).transpose(-1, -2)) * scale
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    scores = (scores + add).masked_fill(torch.from_numpy(~seen), float("-inf"))
    if sinks is not None:  # one key more, without a value
        column = torch.from_numpy(sinks.astype(np.float64)).view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, column], -1)
    o = torch.matmul(torch.softmax(scores, -1)[..., : seen.shape[-1]], v.repeat_interleave(group, 1))
    rows = seen.any(-1)
    pairs = ((o.numpy(), want[0]), (torch.logsumexp(scores, -1).numpy(), want[1]))
    return all(bool(np.abs(got - expected)[rows].max() < 1e-10) for got, expected in pairs)


def worst(got, want):
    return float(np.abs(got.astype(np.float64) - want).max())


def parsed(text):
    words = text.split()
    options = {}
    for at, word in enumerate(words):
        if word.startswith("--"):
            follows = words[at + 1] if at + 1 < len(words) else "--"
            options[word[2:]] = True if follows.startswith("--") else follows
    return options


def run(given, adapter, folder, random):
    batch, heads, kv_heads, q_len, tokens, dim, v_dim, dtype, text = given
    options = parsed(text)
    case = {"sizes": given[:5], "options": options}
    tensors = {}

    def tensor(name, shape, kind=dtype, values=None):
        values = random.standard_normal(shape) if values is None else values
        held, raw = rounded(values.astype(np.float32) if kind not in ("I32", "BOOL") else values, kind)
        tensors[name] = (shape, kind, raw)
        return held

    past = 4 if "past-k" in options else 0
    q = tensor("q", (batch, heads, q_len, dim))
    k = tensor("k", (batch, kv_heads, tokens - past, dim))
    v = tensor("v", (batch, kv_heads, tokens - past, v_dim))
    new_k = k
    if past:
        k = np.concatenate([tensor("past_k", (batch, kv_heads, past, dim)), k], 2)
        v = np.concatenate([tensor("past_v", (batch, kv_heads, past, v_dim)), v], 2)
    lens = random.integers(max(q_len, tokens // 2), tokens + 1, batch).astype(np.int32)
    if past or options.get("causal") == "first-key":
        lens[:] = tokens
    tensor("kv_lens", (batch,), "I32", lens)
    extra = {}
    if "bias" in options:
        extra["bias"] = tensor("bias", (heads, 1, tokens), "F32")
    if options.get("mask") == "mask":
        extra["mask"] = tensor("mask", (batch, 1, q_len, tokens), "F32")
    if options.get("mask") == "seen":
        extra["seen"] = tensor("seen", (batch, 1, q_len, tokens), "BOOL", random.random((batch, 1, q_len, tokens)) < 0.6)
    sinks = tensor("sinks", (heads,), "F32") if "sink-logits" in options else None

    source, target = os.path.join(folder, "in.safetensors"), os.path.join(folder, "out.safetensors")
    save(source, tensors)
    command = ["npx", "gqa", "attend", source, "--out", target, *text.split(), *(["--adapter", adapter] if adapter else [])]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    out = load_f32(target)

    if "rope-base" in options:  # past keys come turned
        own = lens[:, None] - q_len + np.arange(q_len)
        q = turned(q.astype(np.float64), own, options)
        new = np.broadcast_to(past + np.arange(tokens - past), (batch, tokens - past))
        k = np.concatenate([k[:, :, :past], turned(new_k.astype(np.float64), new, options)], 2)
    if options.get("kv-dtype") == "f16":
        k, v = k.astype(np.float16).astype(np.float32), v.astype(np.float16).astype(np.float32)
    # Slots past the lengths hold numbers here, which no one sees.
    scale = float(options.get("scale", dim**-0.5))
    seen, own = visible(case, lens, past, extra)
    add = added(case, own, extra)
    softcap = float(options["softcap"]) if "softcap" in options else None
    wide = [x.astype(np.float64) for x in (q, k, v)]
    truth = attention(*wide, scale, seen, add, softcap, sinks)
    naive = attention(q, k, v, scale, seen, add, softcap, sinks)
    ok = True
    if torch is not None:
        ok = agrees_with_torch(*wide, scale, seen, add, softcap, sinks, truth)
        if not ok:
            print("WRONG torch gives something else than what is expected")
    for name, want, plain in zip(("o", "lse"), truth, naive):
        error = worst(out[name], want)
        largest = np.abs(want[np.abs(want) < 1e38]).max(initial=0)  # not of queries that see no key
        bound = 2 * worst(plain, want) + 1e-6 * float(largest)
        right = error <= bound < float("inf")  # NaN and a bound that holds anything are not
        ok = ok and right
        verdict = "ok  " if right else "WRONG"
        print(f"{verdict} {name:3} error {error:.1e} bound {bound:.1e}  {list(q.shape)} {list(v.shape)} {dtype} {text}")
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose options hold this word")
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        results = [run(case, args.adapter, folder, random) for case in CASES if args.only in case[-1]]
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()

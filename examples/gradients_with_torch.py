#!/usr/bin/env python3
"""Loss and gradients of three tiny models by PyTorch's autograd in float64, as JSON: GQA and MQA with Llama's layers, and a GPT-2.

    python3 examples/gradients_with_torch.py > test/train/fixtures/gradients.json

Needs PyTorch 1.12 or later. Weights and tokens come from a formula that test/train/tinyModels.ts has too. Of each tensor's gradient
there are its norm, its product with a direction of the same formula, and up to 32 of its elements, evenly spread.
"""
import json
import math
import re

import torch
import torch.nn.functional as F

HIDDEN, INNER, LAYERS, HEADS, HEAD_DIM, VOCAB, POSITIONS = 32, 48, 2, 4, 8, 29, 24
EPS, ROPE_BASE = 1e-5, 10000.0
U32 = 0xFFFFFFFF


def bits_of(name, i):
    """Element i of what goes by a name: FNV-1a of the name from a seed of 1, then MurmurHash3's finaliser."""
    x = 0x811C9DC5 ^ 1
    for letter in name:
        x = (x ^ ord(letter)) * 0x01000193 & U32
    x = (x + i * 0x9E3779B9) & U32
    x = (x ^ x >> 16) * 0x85EBCA6B & U32
    x = (x ^ x >> 13) * 0xC2B2AE35 & U32
    return x ^ x >> 16


def direction_of(name, count):
    """Multiples of 2^-15 from -1 to below 1."""
    return torch.tensor([(bits_of(name, i) >> 16) / 2**15 - 1 for i in range(count)], dtype=torch.float64)


def weights_of(name, shape):
    """Matrices are a quarter of that, gains 1 and biases 0 plus a quarter."""
    centre = 1 if len(shape) == 1 and name.endswith("weight") else 0
    return (centre + direction_of(name, math.prod(shape)) / 4).reshape(shape).requires_grad_()


def batch_of(name, batch, context):
    """Tokens and the tokens that follow."""
    texts = [[bits_of(f"{name} tokens {b}", t) % VOCAB for t in range(context + 1)] for b in range(batch)]
    texts = torch.tensor(texts)
    return texts[:, :-1], texts[:, 1:]


def split_heads(x, heads):
    batch, length, _ = x.shape
    return x.view(batch, length, heads, HEAD_DIM).transpose(1, 2)


def attention(q, k, v):
    """Causal; q [B, Hq, T, D], k and v [B, Hkv, T, D], to [B, T, Hq * D]."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    length = q.shape[2]
    hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(HEAD_DIM)).masked_fill(hidden, float("-inf"))
    return (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2)


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight


def rotated(x):
    """Pairs d and d + D / 2, turned by the position times base^(-2d / D)."""
    inverse = ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float64) / HEAD_DIM)
    angles = torch.outer(torch.arange(x.shape[2], dtype=torch.float64), inverse).repeat(1, 2)
    first, second = x.chunk(2, -1)
    return x * angles.cos() + torch.cat([-second, first], -1) * angles.sin()


def llama_shapes(kv_heads):
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {
            f"{at}.input_layernorm.weight": (HIDDEN,),
            f"{at}.self_attn.q_proj.weight": (HEADS * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.k_proj.weight": (kv_heads * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.v_proj.weight": (kv_heads * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD_DIM),
            f"{at}.post_attention_layernorm.weight": (HIDDEN,),
            f"{at}.mlp.gate_proj.weight": (INNER, HIDDEN),
            f"{at}.mlp.up_proj.weight": (INNER, HIDDEN),
            f"{at}.mlp.down_proj.weight": (HIDDEN, INNER),
        }
    return shapes | {"model.norm.weight": (HIDDEN,)}


def llama(w, tokens):
    """Logits; the head is the embedding where there is no tensor for it."""
    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(LAYERS):

        def weight(name):
            return w[f"model.layers.{layer}.{name}.weight"]

        normed = rms_norm(x, weight("input_layernorm"))
        kv_heads = weight("self_attn.k_proj").shape[0] // HEAD_DIM
        q = split_heads(F.linear(normed, weight("self_attn.q_proj")), HEADS)
        k = split_heads(F.linear(normed, weight("self_attn.k_proj")), kv_heads)
        v = split_heads(F.linear(normed, weight("self_attn.v_proj")), kv_heads)
        x = x + F.linear(attention(rotated(q), rotated(k), v), weight("self_attn.o_proj"))
        normed = rms_norm(x, weight("post_attention_layernorm"))
        gate = F.silu(F.linear(normed, weight("mlp.gate_proj")))
        x = x + F.linear(gate * F.linear(normed, weight("mlp.up_proj")), weight("mlp.down_proj"))
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return F.linear(rms_norm(x, w["model.norm.weight"]), head)


def gpt2_shapes():
    shapes = {"wte.weight": (VOCAB, HIDDEN), "wpe.weight": (POSITIONS, HIDDEN)}
    for layer in range(LAYERS):
        at = f"h.{layer}"
        shapes |= {f"{at}.{norm}.{part}": (HIDDEN,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        for name, inputs, outputs in (
            ("attn.c_attn", HIDDEN, 3 * HIDDEN),
            ("attn.c_proj", HIDDEN, HIDDEN),
            ("mlp.c_fc", HIDDEN, INNER),
            ("mlp.c_proj", INNER, HIDDEN),
        ):
            shapes |= {f"{at}.{name}.weight": (inputs, outputs), f"{at}.{name}.bias": (outputs,)}
    return shapes | {"ln_f.weight": (HIDDEN,), "ln_f.bias": (HIDDEN,)}


def gpt2(w, tokens):
    """Logits; the head is the embedding, and matrices are [in, out]."""

    def norm(x, name):
        return F.layer_norm(x, (HIDDEN,), w[f"{name}.weight"], w[f"{name}.bias"], EPS)

    def product(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["wte.weight"][tokens] + w["wpe.weight"][: tokens.shape[1]]
    for at in (f"h.{layer}" for layer in range(LAYERS)):
        heads = product(norm(x, f"{at}.ln_1"), f"{at}.attn.c_attn").split(HIDDEN, -1)
        x = x + product(attention(*(split_heads(each, HEADS) for each in heads)), f"{at}.attn.c_proj")
        opened = F.gelu(product(norm(x, f"{at}.ln_2"), f"{at}.mlp.c_fc"), approximate="tanh")
        x = x + product(opened, f"{at}.mlp.c_proj")
    return F.linear(norm(x, "ln_f"), w["wte.weight"])


# Logits, tensors, sequences and the tokens of each.
MODELS = {
    "llama": (llama, llama_shapes(2) | {"lm_head.weight": (VOCAB, HIDDEN)}, 3, 13),
    "mqa": (llama, llama_shapes(1), 2, 24),
    "gpt2": (gpt2, gpt2_shapes(), 2, 17),
}


def digits(x):
    return float(f"{x:.12g}")


def described(name, gradient):
    flat = gradient.flatten()
    count = len(flat)
    kept = min(count, 32)
    return {
        "norm": digits(flat.norm()),
        "along": digits(flat @ direction_of(f"{name} direction", count)),
        "elements": [digits(flat[i * count // kept]) for i in range(kept)],
    }


def gradients_of(name):
    logits_of, shapes, batch, context = MODELS[name]
    weights = {tensor: weights_of(tensor, shape) for tensor, shape in shapes.items()}
    tokens, targets = batch_of(name, batch, context)
    loss = F.cross_entropy(logits_of(weights, tokens).flatten(0, 1), targets.flatten())
    loss.backward()
    gradients = {tensor: described(tensor, weight.grad) for tensor, weight in weights.items()}
    return {"loss": digits(loss), "gradients": gradients}


def main():
    found = {"by": f"PyTorch {torch.__version__}, float64", **{name: gradients_of(name) for name in MODELS}}
    text = json.dumps(found, indent=1)
    print(re.sub(r"\[[^]]*\]", lambda numbers: json.dumps(json.loads(numbers[0])), text))  # a list is a line


if __name__ == "__main__":
    main()

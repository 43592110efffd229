"""Writes the hidden states that `gqa convert --calibration` reads: what reaches each attention module on some text.

    pip install torch transformers safetensors
    python calibrate.py meta-llama/Llama-2-7b-hf text.txt hidden.safetensors
    gqa convert ./llama-2-7b --kv-heads 8 --method pca --calibration hidden.safetensors --out ./llama-2-7b-gqa8

One tensor for each attention module, called as the module is, [sequences, tokens, hidden size]; for the keys and values of
cross-attention (T5) one more, with `.kv` behind its name. A few thousand tokens are enough: 16 sequences of 128 here.
"""
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

SEQUENCES, TOKENS = 16, 128
ATTENTION = (".self_attn", ".attention", ".attn", ".SelfAttention", ".EncDecAttention")

if len(sys.argv) != 4:
    sys.exit(__doc__)
name, text_file, out_file = sys.argv[1:]
encoder_decoder = AutoConfig.from_pretrained(name).is_encoder_decoder
model_class = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
model = model_class.from_pretrained(name, torch_dtype=torch.bfloat16).eval()
tokenizer = AutoTokenizer.from_pretrained(name)

ids = tokenizer(open(text_file, encoding="utf-8").read(), return_tensors="pt").input_ids[0]
if ids.numel() < SEQUENCES * TOKENS:
    sys.exit(f"{text_file} has {ids.numel()} tokens, {SEQUENCES * TOKENS} are needed")
ids = ids[: SEQUENCES * TOKENS].view(SEQUENCES, TOKENS)

states = {}


def keep(module_name):
    def hook(module, args, kwargs):
        hidden = args[0] if args else kwargs["hidden_states"]
        # A clone: safetensors refuses tensors that share memory, and modules may be given the same one.
        states[module_name] = hidden.detach().to(torch.bfloat16).contiguous().clone()
        other = kwargs.get("key_value_states")
        if other is not None:
            states[f"{module_name}.kv"] = other.detach().to(torch.bfloat16).contiguous().clone()

    return hook


for module_name, module in model.named_modules():
    if module_name.endswith(ATTENTION) and not module_name.startswith("encoder."):
        module.register_forward_pre_hook(keep(module_name), with_kwargs=True)

with torch.no_grad():
    model(input_ids=ids, decoder_input_ids=ids) if encoder_decoder else model(input_ids=ids)

if not states:
    sys.exit(f"{name}: no module whose name ends in one of {', '.join(ATTENTION)}")
save_file(states, f"{out_file}.partial")
os.replace(f"{out_file}.partial", out_file)  # a file that is there is whole
print(f"{len(states)} tensors of {SEQUENCES} x {TOKENS} tokens in {out_file}")

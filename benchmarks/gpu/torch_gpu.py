#!/usr/bin/env python3
"""Whole training steps (forward, backward, clipping, AdamW) in PyTorch on a GPU, as rows of a markdown table.

    torch_gpu.py NAME CONFIG|gpt2 BATCH SEQUENCE [--steps 8] [--modes fp32,tf32,bf16]

CONFIG is a config.json; random weights and tokens, dropout off. bf16 is autocast, as run_clm.py's --bf16.
"""
import argparse
import statistics
import sys
import time

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config

transformers.utils.logging.set_verbosity_error()


def rates(config, device, mode, batch, sequence, steps):
    torch.manual_seed(0)
    tf32 = mode == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).to(device).train()
    fused = device.type == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1, fused=fused)
    ids = torch.randint(0, config.vocab_size, (batch, sequence), device=device)
    synchronize = torch.cuda.synchronize if fused else lambda: None
    times = []
    for _ in range(3 + steps):
        synchronize()
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mode == "bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("config")
    parser.add_argument("batch", type=int)
    parser.add_argument("sequence", type=int)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--modes", default="fp32,tf32,bf16")
    parser.add_argument("--device", default="cuda")
    a = parser.parse_args()
    device = torch.device(a.device)
    if a.config == "gpt2":
        config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    else:
        config = AutoConfig.from_pretrained(a.config)
    for mode in a.modes.split(","):
        try:
            seconds = rates(config, device, mode, a.batch, a.sequence, a.steps)
        except torch.OutOfMemoryError:
            print(f"| {a.name} | PyTorch {torch.__version__} {mode} | - | out of memory |", flush=True)
            continue
        finally:
            if device.type == "cuda":
                torch.cuda.empty_cache()
        print(f"| {a.name} | PyTorch {torch.__version__} {mode} | {1e3 * seconds:.1f} | {a.batch * a.sequence / seconds:,.0f} |",
              flush=True)


if __name__ == "__main__":
    sys.exit(main())

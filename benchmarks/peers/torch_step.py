#!/usr/bin/env python3
"""Times whole training steps (forward, backward, clip, AdamW) of a small language model in PyTorch on the CPU.

    torch_step.py --case gpt2-b4-t64 --mode eager|compile|bf16 [--steps 8] [--threads 2]

The same models, sizes and optimizer as `whirlwind bench`; random tokens; dropout off. One JSON line on standard output.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
import transformers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

transformers.utils.logging.set_verbosity_error()


def llama(vocabulary, hidden, intermediate, layers, heads):
    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=256, rms_norm_eps=1e-5,
        tie_word_embeddings=True)


CASES = {
    "gpt2-b4-t64": (lambda: GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0), 4, 64),
    "gpt2-b1-t512": (lambda: GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0), 1, 512),
    "llama-15m-b8-t256": (lambda: llama(32000, 288, 768, 6, 6), 8, 256),
    "byte-tiny-b16-t256": (lambda: llama(256, 256, 688, 4, 4), 16, 256),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True, choices=CASES)
    parser.add_argument("--mode", default="eager", choices=["eager", "compile", "bf16"])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    make, batch, sequence = CASES[a.case]
    config = make()
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    model.train()
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=3e-4, betas=(0.9, 0.95), eps=1e-8)
    ids = torch.randint(0, config.vocab_size, (batch, sequence + 1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    def loss_of(x, y):
        logits = model(input_ids=x, use_cache=False).logits
        return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), y.view(-1))

    forward = torch.compile(loss_of) if a.mode == "compile" else loss_of

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.mode == "bf16"):
            loss = forward(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    for _ in range(a.warmup):
        step()
    times = []
    for _ in range(a.steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({
        "case": a.case, "mode": a.mode, "threads": a.threads, "torch": torch.__version__,
        "step_ms": {k: round(f(times) * 1e3, 1) for k, f in
                    (("median", statistics.median), ("min", min), ("max", max))},
        "tokens_per_second": round(batch * sequence / statistics.median(times), 1),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    main()

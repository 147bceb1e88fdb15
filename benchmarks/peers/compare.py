#!/usr/bin/env python3
"""Whirlwind's CPU engine beside PyTorch, in turn on the same machine, as one markdown table.

    compare.py [--rounds 3] [--modes eager,compile,bf16] [--cases ...] [--threads 2] > table.md

Run it with a Python that has torch and transformers; it starts ./whirlwind and torch_step.py one after the other, round
after round, since a machine's speed drifts: figures are medians over the rounds, ratios are taken within a round.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CASES = {
    "gpt2-b4-t64": ("gpt2", 4, 64),
    "gpt2-b1-t512": ("gpt2", 1, 512),
    "llama-15m-b8-t256": ("llama-15m", 8, 256),
    "byte-tiny-b16-t256": ("byte-tiny", 16, 256),
}


def run(command):
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--modes", default="eager,compile,bf16")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--engine", default="cpu")
    a = parser.parse_args()
    modes = a.modes.split(",")
    print("| model | whirlwind tok/s | peak MiB | --recompute tok/s | MiB | " + " | ".join(f"{m} tok/s | {m} MiB | ratio" for m in modes) + " |")
    print("|---|---|---|---|---|" + "---|---|---|" * len(modes), flush=True)
    for case in a.cases.split(","):
        model, batch, sequence = CASES[case]
        ours, recomputed, peers = [], [], {m: [] for m in modes}
        bench = [str(ROOT / "whirlwind"), "bench", "--model", model, "--batch", str(batch), "--sequence", str(sequence),
                 "--steps", str(a.steps), "--threads", str(a.threads), "--engine", a.engine, "--json"]
        for _ in range(a.rounds):
            ours.append(run(bench))
            recomputed.append(run(bench + ["--recompute"]))
            for m in modes:
                peers[m].append(run([sys.executable, str(HERE / "torch_step.py"), "--case", case, "--mode", m,
                                     "--steps", str(a.steps), "--threads", str(a.threads)]))
        def median(rows, key):
            return statistics.median(r[key] for r in rows)
        row = [case, f"{median(ours, 'tokens_per_second'):.0f}", f"{median(ours, 'peak_rss_mib'):.0f}",
               f"{median(recomputed, 'tokens_per_second'):.0f}", f"{median(recomputed, 'peak_rss_mib'):.0f}"]
        for m in modes:
            ratio = statistics.median(
                o["tokens_per_second"] / p["tokens_per_second"] for o, p in zip(ours, peers[m]))
            row += [f"{median(peers[m], 'tokens_per_second'):.0f}", f"{median(peers[m], 'peak_rss_mib'):.0f}",
                    f"{ratio:.2f}"]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Measures a machine with a GPU in one go, within 8 minutes, and writes one markdown file.
#
#   benchmarks/gpu/measure.sh [FILE]          default: gpu.md
#
# Needs a TornadoVM SDK (docs/tornadovm.md); PyTorch's figures come along where python3 has torch, transformers and CUDA.
# Each part has a limit; what is skipped or fails is said, and the rest goes on. Environment:
#   WHIRLWIND  the command that starts Whirlwind, where it cannot be built: a script, or java with its flags and class path
#   DEVICE     one of `whirlwind devices`; default: the first GPU
#   PYTHON     default: python3
#   QUICK=1    tiny sizes, to try the script on any machine
#   TOTAL      seconds in all, of which each part has its share; default: 480
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
out=${1:-gpu.md}
device=${DEVICE:+--device $DEVICE}
python=${PYTHON:-python3}
total=${TOTAL:-480}
read -ra whirlwind <<<"${WHIRLWIND:-$root/whirlwind}"
golden=$root/model/src/test/resources/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$out"

if [ -n "${QUICK:-}" ]; then
  sizes=64,256
  gpt2=("byte-tiny 1x32" byte-tiny 1 32)
  llama=("llama-15m 1x32" llama-15m 1 32)
  generated=byte-tiny
  steps=2
else
  sizes=512,1024,2048,4096,8192
  gpt2=("gpt2 8x1024" gpt2 8 1024)
  llama=("Qwen2 0.5B 2x1024" "$here/qwen2-0.5b.json" 2 1024)
  generated=gpt2
  steps=8
fi

say() { printf '%s\n' "$*" >>"$out"; }

# part SECONDS COMMAND...: its output, as it is, goes to the file; standard error is shown only when it fails. The seconds
# are for a total of 480.
part() {
  local seconds=$(($1 * total / 480)) left=$((total - SECONDS - 5)) code=0
  shift
  if [ "$left" -lt 10 ]; then
    : >"$work/out"
    say "(skipped, as the $total s are over)"
    return 1
  fi
  if [ "$seconds" -gt "$left" ]; then seconds=$left; fi
  echo "$SECONDS s: $*" | cut -c1-150 >&2
  timeout -k 5 "$seconds" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  cat "$work/out" >>"$out"
  case $code in
    0) ;;
    124 | 137) say "(stopped after $seconds s)" ;;
    *) say "(failed with code $code: $(grep -v '^compiling\|^Picked up' "$work/err" | tail -n 1 | cut -c1-400))" ;;
  esac
  return $code
}

# The same, as a block.
block() {
  say '```'
  part "$@"
  local code=$?
  say '```'
  say
  return $code
}

bench() {
  local seconds=$1
  shift
  block "$seconds" "${whirlwind[@]}" bench --engine tornado $device --steps "$steps" "$@"
}

say "# GPU, $(date -u +%Y-%m-%dT%H:%M:%SZ)"
say
if command -v nvidia-smi >/dev/null; then
  block 20 nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm --format=csv
else
  say "No nvidia-smi."
  say
fi

say '## Devices'
say
if ! block 60 "${whirlwind[@]}" devices || ! grep -q tornado "$work/out"; then
  say "Nothing else was measured: there is no device."
  echo "no device; see $out" >&2
  exit 1
fi

say '## Parity'
say
say "Against PyTorch in double precision."
say
if [ -d "$golden" ]; then
  # Each in a process of its own, since what takes the time is compiling.
  printf '%s\0' "$golden/gpt2" "$golden/llama" "$golden/mistral-swa" >"$work/cases"
  block 90 xargs -0 -a "$work/cases" -P 3 -n 1 "${whirlwind[@]}" parity --engine tornado $device
  correct=$?
else
  say "Skipped: $golden is missing (the script needs a clone of the repository)."
  say
  correct=0
fi

say '## Products'
say
say "Rows = inputs = outputs; kernels only, by the device's clock; of floats, and of bfloat16 numbers."
say
bench 60 --products "$sizes"
bench 60 --products "$sizes" --precision bf16

say '## Steps, by kernel'
say
say "Products, attention and the head in GFLOP/s, norms, AdamW and the head's loss in GB/s."
say
steps() {
  say "### $1, $5"
  say
  bench 60 --model "$2" --batch "$3" --sequence "$4" --precision "$5"
  ours+=("$1 | Whirlwind $5|$(sed -n 's/^step of .*: median \([0-9.,]*\) ms .* \([0-9,]*\) tokens\/s$/\1 | \2/p' "$work/out")")
}
ours=()
for precision in fp32 bf16; do
  steps "${gpt2[@]}" "$precision"
  steps "${llama[@]}" "$precision"
done

say '## Generation'
say
bench 45 --generation --model "$generated" --sequence 64

say '## Beside PyTorch'
say
say '| model | with | ms a step | tokens/s |'
say '|---|---|---|---|'
for row in "${ours[@]}"; do
  figures=${row#*|*|}
  say "| ${row%"|$figures"} | ${figures:-- | -} |"
done
if "$python" -c 'import torch, transformers; exit(not torch.cuda.is_available())' 2>/dev/null; then
  part 45 "$python" "$here/torch_gpu.py" "${gpt2[@]}" --steps "$steps"
  part 45 "$python" "$here/torch_gpu.py" "${llama[@]}" --steps "$steps"
else
  say
  say "PyTorch: skipped, as $python has no torch and transformers with CUDA."
fi
say
say "$SECONDS s in all."
echo "$SECONDS s: $out is written" >&2
exit "$correct"

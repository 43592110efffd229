#!/usr/bin/env python3
"""Times PyTorch's decode attention with shared KV heads, into the schema of `npm run bench:peers`.

    python3 bench/peers/torch_decode.py [--requests 1q1s4k,8q1s32k] [--kv-heads 32,8] [--types f16]
        [--export-json FILE]

Contestants: scaled_dot_product_attention(enable_gqa=True) with each backend that runs, and FlexAttention,
compiled. Needs PyTorch 2.5 or later and nothing else, no network. K and V are rotated over copies that exceed
twice the last-level cache, and 256 MiB; all contestants of a shape are sampled in turn, shuffled, and held against float64
before and after. Times are CUDA events around steps in a row, submitted while the device is kept busy, so that
they hold no launch from the host. `--device cpu` is for trying the script out: wall clock then.
"""
import argparse
import json
import math
import os
import platform
import random
import re
import statistics
import sys
import time
from datetime import datetime, timezone

import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
DEFAULT_REQUESTS = [(1, 1024), (1, 4096), (1, 32768), (1, 131072), (8, 32768), (32, 4096)]
BACKENDS = ["flash", "cudnn", "efficient", "math", "flex"]
MIB = 2**20
SETTLED, NOISY, MIN_SAMPLES, MAX_COPIES = 0.02, 0.05, 7, 3072
# More launches than this, times the kernels of a step, would fill CUDA's queue.
MAX_STEPS = 100


def sdpa(backend):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    name = "MATH" if backend == "math" else f"{backend.upper()}_ATTENTION"
    kernel = getattr(SDPBackend, name)

    def run(q, k, v):
        with sdpa_kernel(kernel):
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    return run, f"scaled_dot_product_attention(enable_gqa=True), backend {name}"


def contestant(name):
    """The function of q [B, Hq, 1, D] and k, v [B, Hkv, T, D], and what it is."""
    if name != "flex":
        return sdpa(name)
    from torch.nn.attention.flex_attention import flex_attention

    torch._dynamo.reset()
    compiled = torch.compile(flex_attention, dynamic=False)
    return lambda q, k, v: compiled(q, k, v, enable_gqa=True), "flex_attention(enable_gqa=True), compiled"


class Device:
    """Clock, cache size and names of the device."""

    def __init__(self, name):
        self.name, self.cuda = name, name.startswith("cuda")
        if self.cuda:
            self.props = torch.cuda.get_device_properties(torch.device(name))
            self.cold_bytes = max(256 * MIB, 2 * getattr(self.props, "L2_cache_size", 0))
        else:
            self.cold_bytes = 64 * MIB

    def time(self, steps):
        """Nanoseconds of the given functions, one after the other, until the last is done."""
        if not self.cuda:
            start = time.perf_counter_ns()
            for step in steps:
                step()
            return time.perf_counter_ns() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        # Keeps the device busy (0.2 ms a step, by its clock) while the host submits.
        torch.cuda._sleep(int(len(steps) * 200e-6 * 2e9))
        begin.record()
        for step in steps:
            step()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) * 1e6

    def place(self, ceiling):
        runtime = {"kind": "pytorch", "version": torch.__version__}
        adapter = {"vendor": "", "architecture": platform.machine(), "device": "", "description": "CPU"}
        subgroup = 1
        if self.cuda:
            runtime["version"] += f", CUDA {torch.version.cuda}"
            adapter["vendor"], adapter["description"] = "nvidia", self.props.name
            adapter["architecture"], subgroup = f"sm_{self.props.major}{self.props.minor}", 32
        adapter |= {"software": not self.cuda, "subgroupMinSize": subgroup, "subgroupMaxSize": subgroup}
        return {"name": "torch", "runtime": runtime, "adapter": adapter, "features": [], "ceiling": ceiling}

    def read_ceiling(self):
        """The best rate at which PyTorch's own reductions read a buffer far larger than the caches."""
        size = min(4096 * MIB, torch.cuda.mem_get_info()[0] // 4) if self.cuda else 512 * MIB
        data = torch.randn(size // 4, device=self.name)
        best = None
        for reduce in (data.sum, data.amax, data.view(torch.int32).amax):
            self.time([reduce])
            samples = [self.time([reduce] * 4) / 4 for _ in range(9)]
            rate = size / min(samples)
            if best is None or rate > best["readGBps"]:
                best = {"readGBps": rate, "bytes": size, "samplesNs": samples}
        return best


def naive(q, k, v, dtype):
    """Scores, softmax and mix as three steps in `dtype`; a sequence at a time, for its memory's sake."""
    group = q.shape[1] // k.shape[1]
    out = []
    for qs, ks, vs in zip(q.to(dtype), k, v):
        ks, vs = (x.to(dtype).repeat_interleave(group, 0) for x in (ks, vs))
        scores = (qs @ ks.transpose(-1, -2)) * (qs.shape[-1] ** -0.5)
        out.append(torch.softmax(scores, -1) @ vs)
    return torch.stack(out)


def expect(q, k, v):
    """Truth in float64, and flash-attention's bound on the worst error in the type of the data."""
    truth = naive(q, k, v, torch.float64)
    rounded = truth.to(q.dtype)
    slack = 2 * (rounded + 0.3 - 0.3 - rounded).abs().max()
    if q.dtype == torch.float32:
        slack = 1e-6 * truth.abs().max()
    return truth, float(2 * (naive(q, k, v, q.dtype).double() - truth).abs().max() + slack)


def check(run, caches, q, truth, bound):
    """The worse of the outputs on the first and on the last copy."""
    errors = [float((run(q, k, v).double() - truth).abs().max()) for k, v in (caches[0], caches[-1])]
    # NaN, which JSON does not have, counts as the largest number.
    worst = max(error if math.isfinite(error) else sys.float_info.max for error in errors)
    return {"ref": "cpu-f64", "pass": worst <= bound, "maxAbsErr": worst, "bound": bound}


def wrong(when, result):
    error, bound = result["maxAbsErr"], result["bound"]
    return ValueError(f"wrong result {when} timing: error {error:.2e}, bound {bound:.2e}")


def interval(samples):
    """95 % interval of the median by order statistics, as in bench/schema/stats.ts; None for fewer than six samples."""
    ordered, n = sorted(samples), len(samples)
    if n < 6:
        return None
    skipped, below = 0, 2.0**-n
    while below + math.comb(n, skipped + 1) * 2.0**-n <= 0.025:
        skipped += 1
        below += math.comb(n, skipped) * 2.0**-n
    return [ordered[skipped], ordered[n - 1 - skipped]]


def spread(samples):
    """Half the interval as a share of the median; None where there is no interval."""
    ends = interval(samples)
    return ends and (ends[1] - ends[0]) / 2 / statistics.median(samples)


class Lane:
    """A contestant on a shape."""

    def __init__(self, name, device, caches, q, expected):
        self.name, self.device, self.caches, self.q, self.expected = name, device, caches, q, expected
        self.step, self.samples, self.row, self.next = "", [], {}, 0

    def steps(self, count):
        picked = [self.caches[(self.next + i) % len(self.caches)] for i in range(count)]
        self.next = (self.next + count) % len(self.caches)
        return [lambda k=k, v=v: self.run(self.q, k, v) for k, v in picked]

    def prepare(self):
        self.run, self.step = contestant(self.name)
        start = time.perf_counter_ns()
        self.device.time(self.steps(1))
        self.first_ns = time.perf_counter_ns() - start
        before = check(self.run, self.caches, self.q, *self.expected)
        self.row["check"] = {"before": before, "after": None}
        if not before["pass"]:
            raise wrong("before", before)
        self.count, span = 1, 2e6 if self.device.cuda else 2e7
        while self.count < MAX_STEPS and self.device.time(self.steps(self.count)) < span:
            self.count = min(MAX_STEPS, 2 * self.count)

    def sample(self):
        self.samples.append(self.device.time(self.steps(self.count)) / self.count)

    def finish(self, stop):
        after = check(self.run, self.caches, self.q, *self.expected)
        self.row["check"]["after"] = after
        if not after["pass"]:
            raise wrong("after", after)
        self.row["time"] = {
            "stepsPerSample": self.count,
            "samplesNs": self.samples,
            "wallNs": self.samples,
            "firstNs": self.first_ns,
            "median": statistics.median(self.samples),
            "ci95": interval(self.samples),
            "min": min(self.samples),
            "stop": stop,
        }
        self.row["warnings"] = ["noisy"] if (spread(self.samples) or 0) > NOISY else []

    def attempt(self, action, *args):
        """Runs one of the methods; an error becomes the row's, and the others go on."""
        try:
            action(*args)
            return True
        except Exception as error:  # whatever a backend throws
            lines = [text.strip() for text in str(error).split("\n") if text.strip()]
            self.row["error"] = " ".join(lines[:2]) or type(error).__name__
            return False


def compare(shape, device, args):
    """The rows of one shape."""
    batch, depth, heads, kv_heads, dim, dtype = shape
    torch.manual_seed(args.seed)
    q = torch.randn(batch, heads, 1, dim, device=device.name).to(DTYPES[dtype])
    k, v = (torch.randn(batch, kv_heads, depth, dim, device=device.name).to(DTYPES[dtype]) for _ in range(2))
    kv_bytes = 2 * k.numel() * k.element_size()
    copies = min(MAX_COPIES, max(1, math.ceil(device.cold_bytes / kv_bytes)))
    caches = [(k, v)] + [(k.clone(), v.clone()) for _ in range(copies - 1)]
    name = f"h{heads}_kv{kv_heads}_d{dim}{f'_b{batch}' if batch > 1 else ''}_t{depth}_{dtype}"
    expected = expect(q, k, v)
    lanes = [Lane(each, device, caches, q, expected) for each in args.contestants]
    running = [lane for lane in lanes if lane.attempt(lane.prepare)]
    order, start, rounds, stop = random.Random(args.seed), time.perf_counter(), 0, "reps"
    while running:
        for lane in order.sample(running, len(running)):
            if not lane.attempt(lane.sample):
                running.remove(lane)
        rounds += 1
        if args.reps and rounds >= args.reps:
            break
        if not args.reps and rounds >= MIN_SAMPLES:
            settled = all((spread(lane.samples) or 0) <= SETTLED for lane in running)
            if settled or time.perf_counter() - start > args.max_time:
                stop = "converged" if settled else "time"
                break
    for lane in running:
        lane.attempt(lane.finish, stop)
    base = {
        "id": name,
        "place": "torch",
        "params": {
            "heads": heads,
            "kvHeads": kv_heads,
            "headDim": dim,
            "batch": batch,
            "depth": depth,
            "capacity": depth,
            "type": dtype,
        },
        "bytes": {"kvRead": kv_bytes},
        "copies": copies,
        "workingSetBytes": copies * kv_bytes,
        "cold": copies * kv_bytes >= device.cold_bytes,
        "check": None,
        "time": None,
        "warnings": [],
    }
    return [{**base, "engine": engine(lane.name), "step": lane.step, **lane.row} for lane in lanes]


def engine(name):
    return "flex" if name == "flex" else f"sdpa-{name}"


def requests(text):
    """`8q1s32k`: 8 sequences, one query position each, 32 * 1024 keys."""
    found = re.fullmatch(r"(\d+)q1s(\d+)(k?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected requests such as 1q1s4k or 8q1s32k, got {text!r}")
    return int(found[1]), int(found[2]) * (1024 if found[3] else 1)


def listed(parse):
    return lambda text: [parse(word) for word in text.split(",")]


def one_of(choices):
    def parse(word):
        if word not in choices:
            raise argparse.ArgumentTypeError(f"expected {', '.join(choices)}, got {word!r}")
        return word

    return parse


MEASURING = "requests heads head_dim kv_heads types contestants reps max_time seed".split()


def arguments():
    """The options, and the names of those that make the run another than the standard one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--device", default="cuda", help="cuda, cuda:1 or cpu")
    add("--requests", type=listed(requests), default=DEFAULT_REQUESTS)
    add("--heads", type=int, default=32)
    add("--head-dim", type=int, default=128)
    add("--kv-heads", type=listed(int), default=[32, 8, 4, 1])
    add("--types", type=listed(one_of(list(DTYPES))), default=["f16"])
    add("--contestants", type=listed(one_of(BACKENDS)), default=BACKENDS)
    add("--reps", type=int, help="samples per row; default: until settled")
    add("--max-time", type=float, default=6, help="most seconds of sampling per shape")
    add("--seed", type=int, default=42)
    add("--label")
    add("--export-json")
    args = parser.parse_args()
    bad = [kv for kv in args.kv_heads if kv < 1 or args.heads % kv]
    if bad:
        parser.error(f"heads ({args.heads}) must be a multiple of kv-heads ({bad[0]})")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device; --device cpu tries the script out")
    changed = [name for name in MEASURING if getattr(args, name) != parser.get_default(name)]
    return args, changed


def line(row):
    time_, check_ = row["time"], row["check"]
    if not time_:
        return f"{row['id']:32} {row['engine']:15} {row['error']}"
    ends = time_["ci95"]
    error = max(check_["before"]["maxAbsErr"], check_["after"]["maxAbsErr"])
    rate = row["bytes"]["kvRead"] / time_["median"]
    took = f"{time_['median'] / 1e3:10.1f} us" + (f" ± {(ends[1] - ends[0]) / 2e3:.1f}" if ends else "")
    warm = "" if row["cold"] else "  warm"
    return f"{row['id']:32} {row['engine']:15} {took}  {rate:7.1f} GB/s  error {error:.1e}{warm}"


def main():
    args, changed = arguments()
    device = Device(args.device)
    ceiling = device.read_ceiling()
    place = device.place(ceiling)
    name, rate = place["adapter"]["description"], ceiling["readGBps"]
    print(f"pytorch {torch.__version__} · {name} · reads {rate:.0f} GB/s", file=sys.stderr)
    rows = []
    for dtype in args.types:
        for batch, depth in args.requests:
            for kv_heads in args.kv_heads:
                shape = (batch, depth, args.heads, kv_heads, args.head_dim, dtype)
                for row in compare(shape, device, args):
                    rows.append(row)
                    print(line(row))
    if args.export_json:
        export(args.export_json, {"context": context(device, place, args, changed), "results": rows})
    sys.exit(0 if any(row["time"] for row in rows) else 1)


def context(device, place, args, changed):
    """Where and how the run was made."""
    warnings = []
    if not device.cuda:
        text = "a CPU: these times try the script out and say nothing of a GPU"
        warnings.append({"code": "software-adapter", "text": text})
    if changed:
        warnings.append({"code": "non-standard", "text": f"not the standard run ({', '.join(changed)})"})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../package.json")) as file:
        version = json.load(file)["version"]
    commit = {"commit": os.environ["GQA_COMMIT"]} if "GQA_COMMIT" in os.environ else {}
    return {
        "date": datetime.now(timezone.utc).isoformat(),
        "tool": {"name": "gqa-webgpu", "version": version, **commit},
        "runtime": {"kind": "python", "version": platform.python_version()},
        **({"label": args.label} if args.label else {}),
        "packages": {"torch": torch.__version__},
        "places": [place],
        "coldBytes": device.cold_bytes,
        "timer": "cuda-event" if device.cuda else "wall",
        "seed": args.seed,
        "order": "interleaved",
        "nonStandard": {name.replace("_", "-"): str(getattr(args, name)) for name in changed},
        "warnings": warnings,
    }


def export(path, result):
    """Replaces a regular file whole, through links; anything else, such as a FIFO, gets the text."""
    whole = os.path.isfile(path) or not os.path.exists(path)
    path = os.path.realpath(path) if whole else path
    written = f"{path}.partial" if whole else path
    with open(written, "w") as file:
        json.dump({"schema": "gqa-peers/1", "suite": "2", **result}, file, indent=2)
    if whole:
        os.replace(written, path)


if __name__ == "__main__":
    with torch.inference_mode():
        main()

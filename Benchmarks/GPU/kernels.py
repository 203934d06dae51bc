"""Where a GPU's time goes, from a trace that bench-loopy writes:

    kernels.py TRACE.json [PEAK]

Prints, as Markdown: how long the GPU was at work and how long it waited, how many operations matrix
products, convolutions and attention are by their shapes, as a share of PEAK TFLOP/s (the H200 multiplies
8192x8192 matrices in bfloat16 at 790), and the kernels that took longest.
"""

import collections
import json
import math
import re
import sys


def flops(name, shapes, concrete):
    """The operations of one call: two for each multiplication."""
    product = math.prod
    if name == "aten::mm":
        return 2 * product(shapes[0]) * shapes[1][1]
    if name == "aten::addmm":
        return 2 * product(shapes[1]) * shapes[2][1]
    if name == "aten::bmm":
        return 2 * product(shapes[0]) * shapes[1][2]
    if name == "aten::convolution":
        pixels = shapes[0][2:]
        strides = [int(n) for n in re.findall(r"\d+", concrete[3])]
        if len(strides) == 1:
            strides *= len(pixels)
        return 2 * shapes[0][0] * product(pixels) // product(strides) * product(shapes[1])
    if name == "aten::convolution_backward":
        gradient, weight = shapes[0], shapes[2]
        return 4 * gradient[0] * product(gradient[2:]) * product(weight)
    attention = re.fullmatch(
        r"aten::_scaled_dot_product_(?:flash|efficient|cudnn|fused)_attention(_backward)?", name)
    if attention:
        query, key = (shapes[1:3] if attention[1] else shapes[:2])
        return int((10 if attention[1] else 4) * product(query) * key[2])
    return 0


def main():
    with open(sys.argv[1]) as file:
        events = json.load(file)["traceEvents"]
    peak = float(sys.argv[2]) if len(sys.argv) > 2 else 790.0
    kernels = [e for e in events if e.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")]
    operations = [e for e in events if e.get("cat") == "cpu_op"]
    if not kernels:
        sys.exit("the trace has no kernels")

    counted = collections.Counter()
    for event in operations:
        arguments = event.get("args", {})
        try:
            count = flops(event["name"], arguments.get("Input Dims", []),
                          arguments.get("Concrete Inputs", []))
        except (IndexError, ValueError):
            count = 0
        counted[event["name"]] += count
    total = sum(counted.values())

    span = max(e["ts"] + e["dur"] for e in kernels) - min(e["ts"] for e in kernels)
    busy = sum(e["dur"] for e in kernels)
    print(f"\n{len(kernels)} kernels and copies in {span / 1e3:.1f} ms, of which the GPU worked "
          f"{busy / 1e3:.1f} ms; {total / 1e12:.2f} TFLOP: {total / span / 1e6:.0f} TFLOP/s, "
          f"{100 * total / span / 1e6 / peak:.0f} % of {peak:.0f}")
    for name, count in counted.most_common(6):
        if count:
            print(f"- {name}: {count / 1e12:.2f} TFLOP")

    times, calls = collections.Counter(), collections.Counter()
    for event in kernels:
        times[event["name"]] += event["dur"]
        calls[event["name"]] += 1
    print("\n| ms | calls | kernel |\n| --- | --- | --- |")
    for name, spent in times.most_common(30):
        print(f"| {spent / 1e3:.2f} | {calls[name]} | `{name[:110]}` |")


main()

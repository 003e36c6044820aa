"""What this machine can do at most, for the floors of the race. Prints one JSON object:

    python limits.py --threads N --sizes BYTES [BYTES ...]     with --scale below 1 in less time

readGBps: for each size, how fast that many bytes are read again and again, as a forward reads weights; what the cache
holds is read faster than memory. gops: the fastest matrix product of each dtype, in 1e9 multiplications and additions a
second; null where nothing here multiplies in it.
"""

import argparse
import json
import time

import torch

SHAPES = [(512, 1024, 1024), (1024, 1024, 1024), (1024, 768, 3072), (2048, 2048, 2048)]
SECONDS = 0.4
scale = 1.0


def best_seconds(work):
    """The shortest of as many repetitions as fit."""
    work()
    best, end = float("inf"), time.perf_counter() + SECONDS * scale
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def read_rate(size):
    floats = size // 4
    values = torch.rand(floats)
    # Several ways to read the same bytes, since none is the fastest everywhere.
    matrix = values[: floats // 1024 * 1024].view(-1, 1024)
    vector, bits = torch.rand(1024), values.view(torch.int32)
    ways = [values.sum, lambda: torch.mv(matrix, vector), lambda: bits.view(torch.int64).max(), values.max]
    return size / min(best_seconds(way) for way in ways) / 1e9


def float_product(dtype):
    def product(m, k, n):
        left, right = torch.rand(m, k).to(dtype), torch.rand(k, n).to(dtype)
        return lambda: left @ right

    return product


def int8_by_torch(m, k, n):
    left = torch.randint(-127, 127, (m, k), dtype=torch.int8)
    right = torch.randint(-127, 127, (n, k), dtype=torch.int8).t()
    return lambda: torch._int_mm(left, right)


def int8_by_onnxruntime(m, k, n):
    import numpy
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy.random.randint(-127, 127, (k, n)).astype(numpy.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [m, k])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [m, n])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = numpy.random.randint(0, 255, (m, k)).astype(numpy.uint8)
    return lambda: session.run(None, {"left": left})


def peak(*products):
    best = None
    for product in products:
        for m, k, n in SHAPES:
            try:
                rate = 2 * m * k * n / best_seconds(product(m, k, n)) / 1e9
            except (RuntimeError, ImportError, NotImplementedError):
                break
            best = max(best or 0, rate)
    return best


def main():
    global scale
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    args = parser.parse_args()
    scale = args.scale
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        limits = {
            "readGBps": {str(size): read_rate(size) for size in args.sizes},
            "gops": {
                "float32": peak(float_product(torch.float32)),
                "bfloat16": peak(float_product(torch.bfloat16)),
                "int8": peak(int8_by_torch, int8_by_onnxruntime),
            },
        }
    print(json.dumps(limits))


main()

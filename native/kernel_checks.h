// How far kernels are from ATen, over random inputs.
#pragma once

#include <string>

#include "kernels/kernels.h"
#include "torch_api.h"

namespace distilserve {

// A product [rows, k] x [n, k] of a set against ATen in float64, the largest difference as a share of the sum of
// magnitudes; activations included.
double gemm_difference(const KernelSet& set, int64_t rows, int64_t n, int64_t k, Activation activation);

// The same for a narrower dtype, kChar or kBFloat16: against ATen's product of the values that ATen itself converts, which
// is exact for int8. There the difference is a share of the product's own magnitude, of the bias and of one step: a sum that
// is off by one shows.
double gemm_difference(const LinearKernels& kernels, at::ScalarType dtype, int64_t rows, int64_t n, int64_t k,
                       Activation activation);

// Reasons to leave kernels out; empty when they agree with ATen.
std::string disagreement(const KernelSet& set);
std::string disagreement(const LinearKernels& kernels, at::ScalarType dtype);

}  // namespace distilserve

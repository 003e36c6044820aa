// Which kernels of native/kernels/ this CPU can run, and do run right.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace distilserve {

struct KernelChoice {
  std::string name;                  // "avx512", "avx2" or "aten"
  const KernelSet* set = nullptr;    // null: ATen
  std::string why_not;               // empty: usable
};

// All sets this build knows, best first, ATen last. Each set that the CPU has is checked against ATen once in a process;
// one that disagrees is not usable and says so in `why_not`.
const std::vector<KernelChoice>& kernel_choices();

// The best usable one for "auto", else the one named. Throws invalid_argument naming those there are.
const KernelChoice& choose_kernels(const std::string& name);

// The largest difference between a set and ATen (in float64) over a product [rows, k] x [n, k], relative to the sum of
// the magnitudes; activations included.
double gemm_difference(const KernelSet& set, int64_t rows, int64_t n, int64_t k, Activation activation);

}  // namespace distilserve

// Which kernels of native/kernels/ this CPU can run, and do run right.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "torch_api.h"

namespace distilserve {

struct KernelChoice {
  std::string name;                       // "avx512", "avx2" or "aten"; for narrower dtypes "amx", "avx512vnni" ...
  const KernelSet* set = nullptr;         // null: ATen
  std::string why_not;                    // empty: usable
  at::ScalarType dtype = at::kFloat;
  const LinearKernels* linear = nullptr;  // of the linear layers, in a narrower dtype
};

// All that this build knows for kFloat, kBFloat16 or kChar, best first; for float32 ATen is last. Each one that the CPU has
// is checked against ATen once in a process; one that disagrees is not usable and says so in `why_not`.
const std::vector<KernelChoice>& kernel_choices(at::ScalarType dtype);

// The best usable one for "auto", else the one named. Throws invalid_argument naming those there are.
const KernelChoice& choose_kernels(const std::string& name, at::ScalarType dtype = at::kFloat);

// Why nothing computes in this dtype; empty where something does.
std::string why_no_kernels(at::ScalarType dtype);

}  // namespace distilserve

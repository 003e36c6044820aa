// A second TorchScript program over the weights of a DistilBERT, for inference on the CPU: packed rows, prepacked and
// fused linear layers, the last layer only for the tokens that the answer needs.
#pragma once

#include "architecture.h"
#include "kernel_sets.h"
#include "ragged.h"
#include "torch_api.h"

namespace distilserve {

class ServingProgram {
 public:
  // True when the module's parameters are those of this architecture.
  static bool fits(const torch::jit::Module& portable, const Architecture& architecture);

  // Packs the weights of a portable program in float32. Throws native_failure when the program's answers to a few fixed
  // inputs are further from the portable ones than its dtype may be.
  ServingProgram(const torch::jit::Module& portable, const Architecture& architecture, const KernelChoice& kernels);

  // [rows, labels], or [rows, dim] of unit length; with up to `threads` threads.
  at::Tensor logits(const RaggedIds& batch, int64_t threads) const { return run("forward", batch, threads); }
  at::Tensor embed(const RaggedIds& batch, int64_t threads) const { return run("embed", batch, threads); }

  const std::string& kernels() const { return kernels_; }

 private:
  at::Tensor run(const char* method, const RaggedIds& batch, int64_t threads) const;
  void check_against(const torch::jit::Module& portable, const Architecture& architecture) const;

  mutable torch::jit::Module program_;  // calls do not change it, but their signatures are not const
  std::string kernels_;
  double tolerance_;
};

}  // namespace distilserve

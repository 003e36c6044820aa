// The operators of the serving program, in TorchScript's namespace `distilserve`.
//
// A batch is packed: the tokens of all rows one after another, no padding. `offsets` [rows + 1] says where each row
// begins. What an operator returns lives in memory of the calling thread until that thread runs the same operator twice
// more: the program's own chain never looks back further.
#pragma once

#include "kernel_sets.h"
#include "torch_api.h"

namespace distilserve {

// One or more linear layers over the same input, in the layout of the kernels; with a LayerNorm behind where there is one.
struct PackedLinear : torch::CustomClassHolder {
  // weights [n_i, k], biases [n_i]. `narrower` is null for float32.
  PackedLinear(const KernelSet* kernels, const LinearKernels* narrower, const std::vector<at::Tensor>& weights,
               const std::vector<at::Tensor>& biases);

  const KernelSet* kernels;
  const LinearKernels* narrower;
  int64_t k = 0;
  int64_t n = 0;              // columns of one layer, not padded
  int64_t segment_panels = 0; // panels of one layer
  int64_t segments = 0;
  at::Tensor panels;          // packed, bytes where narrower; for ATen the weights [segments * n, k]
  at::Tensor bias;            // [segments * segment_width()]
  at::Tensor gamma, beta;     // [n], or undefined
  double eps = 0;

  int64_t panel() const { return narrower == nullptr ? kernels->panel : narrower->panel; }
  int64_t segment_width() const { return kernels == nullptr ? n : segment_panels * panel(); }
};

struct PackedEmbeddings : torch::CustomClassHolder {
  const KernelSet* kernels = nullptr;
  at::Tensor words, positions;  // [vocab_size, dim], [max_position_embeddings, dim]
  at::Tensor gamma, beta;       // [dim]
  double eps = 0;
};

// Registers the operators and classes; safe to call more than once.
void register_serving_ops();

}  // namespace distilserve

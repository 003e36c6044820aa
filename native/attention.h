// Attention over packed rows: each row's tokens see each other and nothing else; no mask is ever made.
#pragma once

#include "kernels/kernels.h"
#include "torch_api.h"

namespace distilserve {

// Keys and values of all tokens, and the queries: every token's, or only each row's first.
struct PackedHeads {
  const float* projected;  // [tokens, 3 * width]: query, key, value
  int64_t stride;
  int64_t width;
  const float* queries;    // [queries, width]
  int64_t query_stride;
};

// out [queries, heads * head_dim] = softmax(q k^T / sqrt(head_dim)) v, row by row and head by head.
void attend(const KernelSet& kernels, const PackedHeads& heads, const at::Tensor& offsets, int64_t head_dim,
            int64_t head_count, bool first_only, at::Tensor& out);

// The same through ATen, from projected [tokens, 3 * dim].
at::Tensor aten_attention(const at::Tensor& projected, const at::Tensor& offsets, int64_t heads, bool first_only);

}  // namespace distilserve

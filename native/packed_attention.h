// Attention of a training step over packed rows, forward and backward. The probabilities are not kept: the backward pass
// makes them again, which costs less than their memory.
#pragma once

#include "packed_layers.h"
#include "ragged.h"

namespace distilserve {

// Where queries, keys and values of a batch lie; queries are all tokens, or each row's first one.
struct AttentionShape {
  const RaggedIds* batch;
  int64_t heads;
  int64_t head_dim;
  bool first_only;

  int64_t query_begin(int64_t row) const { return first_only ? row : batch->offsets[row]; }
  int64_t query_count(int64_t row) const { return first_only ? 1 : batch->length(row); }
};

// context [queries, dim] = dropout(softmax(q k^T / sqrt(head_dim))) v, row by row and head by head.
void attention_forward(Kernels kernels, const AttentionShape& shape, const Matrix& q, const Matrix& k, const Matrix& v,
                       const Dropout& dropout, Matrix& context);

// The gradients dq, dk and dv, of the shapes of q, k and v, from that of the context.
void attention_backward(Kernels kernels, const AttentionShape& shape, const Matrix& q, const Matrix& k, const Matrix& v,
                        const Dropout& dropout, const Matrix& dcontext, Matrix& dq, Matrix& dk, Matrix& dv);

}  // namespace distilserve

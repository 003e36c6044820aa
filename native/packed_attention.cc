#include "packed_attention.h"

#include <algorithm>
#include <cmath>

#include "parallel_gemm.h"
#include "thread_team.h"

namespace distilserve {
namespace {

struct Scratch {
  Matrix panels, scores, dropped, dscores, transposed, product;
};

// One head of one row.
struct Head {
  const Kernels& kernels;
  Scratch& scratch;
  int64_t queries, keys, dim;
  Dropout dropout;

  int64_t panels_of(int64_t columns) const {
    return ceil_div(columns, kernels.products->panel);
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(dim)); }

  // c [rows, n] = a [rows, k] times the packed panels
  void multiply(const float* a, int64_t lda, int64_t rows, int64_t k, int64_t n, Matrix& c) const {
    c.resize(rows, n);
    kernels.products->gemm({a, lda, rows, k, scratch.panels.row(0), 0, panels_of(n), nullptr, c.row(0), c.stride(),
                            Activation::none});
  }

  float* panels(int64_t n, int64_t k) const {
    scratch.panels.resize(1, packed_size(*kernels.products, n, k));
    return scratch.panels.row(0);
  }

  // scratch.scores = softmax(q k^T / sqrt(dim)) [queries, keys]
  void probabilities(const float* q, int64_t ldq, const float* k, int64_t ldk) const {
    kernels.products->pack(k, ldk, keys, dim, panels(keys, dim));
    multiply(q, ldq, queries, dim, keys, scratch.scores);
    kernels.products->softmax(scratch.scores.row(0), scratch.scores.stride(), queries, keys, scale());
  }

  void drop(Matrix& m) const {
    if (dropout.threshold == 0) return;
    for (int64_t query = 0; query < queries; ++query) {
      kernels.others->dropout(m.row(query), keys, static_cast<uint32_t>(query * keys), dropout);
    }
  }

  // to [rows, dim] = left [rows, k] times right [k, dim]
  void multiply_rows(const float* left, int64_t ldl, int64_t rows, int64_t k, const float* right, int64_t ldr, float* to,
                     int64_t ldt) const {
    pack_rows(*kernels.products, right, ldr, k, dim, panels(dim, k));
    multiply(left, ldl, rows, k, dim, scratch.product);
    for (int64_t row = 0; row < rows; ++row) std::copy_n(scratch.product.row(row), dim, to + row * ldt);
  }

  // scratch.transposed = m^T [keys, queries]
  void transpose(const Matrix& m) const {
    scratch.transposed.resize(keys, queries);
    kernels.others->transpose(m.row(0), m.stride(), queries, keys, scratch.transposed.row(0), scratch.transposed.stride());
  }
};

// Calls each(head, first query, first key, first column) for every head of every row, on all threads.
template <typename Each>
void for_heads(const Kernels& kernels, const AttentionShape& shape, const Dropout& dropout, const Each& each) {
  parallel_for(shape.batch->rows, [&](int64_t row) {
    thread_local Scratch scratch;
    for (int64_t index = 0; index < shape.heads; ++index) {
      Head head = {kernels, scratch, shape.query_count(row), shape.batch->length(row), shape.head_dim, dropout};
      head.dropout.key += static_cast<uint32_t>(row * shape.heads + index) * 0x9e3779b9u;
      each(head, shape.query_begin(row), int64_t{shape.batch->offsets[row]}, index * shape.head_dim);
    }
  });
}

}  // namespace

void attention_forward(Kernels kernels, const AttentionShape& shape, const Matrix& q, const Matrix& k, const Matrix& v,
                       const Dropout& dropout, Matrix& context) {
  context.resize(q.rows(), q.columns());
  for_heads(kernels, shape, dropout, [&](const Head& head, int64_t query, int64_t key, int64_t column) {
    Matrix& scores = head.scratch.scores;
    head.probabilities(q.row(query) + column, q.stride(), k.row(key) + column, k.stride());
    head.drop(scores);
    head.multiply_rows(scores.row(0), scores.stride(), head.queries, head.keys, v.row(key) + column, v.stride(),
                       context.row(query) + column, context.stride());
  });
}

void attention_backward(Kernels kernels, const AttentionShape& shape, const Matrix& q, const Matrix& k, const Matrix& v,
                        const Dropout& dropout, const Matrix& dcontext, Matrix& dq, Matrix& dk, Matrix& dv) {
  dq.resize(q.rows(), q.columns());
  dk.resize(k.rows(), k.columns());
  dv.resize(v.rows(), v.columns());
  for_heads(kernels, shape, dropout, [&](const Head& head, int64_t query, int64_t key, int64_t column) {
    Scratch& s = head.scratch;
    const float* dout = dcontext.row(query) + column;
    head.probabilities(q.row(query) + column, q.stride(), k.row(key) + column, k.stride());
    copy(s.scores, s.dropped);
    head.drop(s.dropped);
    head.transpose(s.dropped);
    head.multiply_rows(s.transposed.row(0), s.transposed.stride(), head.keys, head.queries, dout, dcontext.stride(),
                       dv.row(key) + column, dv.stride());
    kernels.products->pack(v.row(key) + column, v.stride(), head.keys, head.dim, head.panels(head.keys, head.dim));
    head.multiply(dout, dcontext.stride(), head.queries, head.dim, head.keys, s.dscores);
    head.drop(s.dscores);
    for (int64_t row = 0; row < head.queries; ++row) {
      kernels.others->softmax_backward(s.scores.row(row), s.dscores.row(row), head.keys, head.scale());
    }
    head.multiply_rows(s.dscores.row(0), s.dscores.stride(), head.queries, head.keys, k.row(key) + column, k.stride(),
                       dq.row(query) + column, dq.stride());
    head.transpose(s.dscores);
    head.multiply_rows(s.transposed.row(0), s.transposed.stride(), head.keys, head.queries, q.row(query) + column,
                       q.stride(), dk.row(key) + column, dk.stride());
  });
}

}  // namespace distilserve

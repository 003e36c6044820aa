// The float32 kernels, written over the vectors of vector_*.h: included once by each instruction set's file.
#pragma once

#include "functions.h"

namespace distilserve {
namespace {

constexpr int64_t kPanel = 2 * kLanes;
// Depth of one pass: a panel's part of it (up to 96 KiB) stays in the second-level cache while the rows go by.
constexpr int64_t kDepth = 768;
// Rows of one pass: their part of `a` stays there too.
constexpr int64_t kPassRows = 14 * kRowBlock;

// One block: `count` rows times one panel, over `depth` of k.
template <int count, Activation activation>
void block(const float* a, int64_t lda, const float* panel, int64_t depth, const float* start, int64_t start_stride, float* c,
           int64_t ldc) {
  Vec sums[count][2];
#pragma GCC unroll 16
  for (int row = 0; row < count; ++row) {
    sums[row][0] = start == nullptr ? set(0.0f) : load(start + row * start_stride);
    sums[row][1] = start == nullptr ? set(0.0f) : load(start + row * start_stride + kLanes);
  }
  for (int64_t k = 0; k < depth; ++k) {
    const Vec w0 = load(panel + k * kPanel);
    const Vec w1 = load(panel + k * kPanel + kLanes);
#pragma GCC unroll 16
    for (int row = 0; row < count; ++row) {
      const Vec x = set(a[row * lda + k]);
      sums[row][0] = fma(x, w0, sums[row][0]);
      sums[row][1] = fma(x, w1, sums[row][1]);
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < count; ++row) {
    store(c + row * ldc, activate<activation>(sums[row][0]));
    store(c + row * ldc + kLanes, activate<activation>(sums[row][1]));
  }
}

using Block = void (*)(const float*, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t);

template <Activation activation, int... counts>
struct BlockTable {
  static constexpr Block of[sizeof...(counts)] = {block<counts, activation>...};
};

template <Activation activation>
Block block_of(int64_t rows) {
  if constexpr (kRowBlock == 14) {
    return BlockTable<activation, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>::of[rows - 1];
  } else {
    return BlockTable<activation, 1, 2, 3, 4, 5, 6>::of[rows - 1];
  }
}

Block block_for(Activation activation, int64_t rows) {
  if (activation == Activation::gelu) return block_of<Activation::gelu>(rows);
  if (activation == Activation::relu) return block_of<Activation::relu>(rows);
  return block_of<Activation::none>(rows);
}

// All rows of one pass against one panel, for one part of k: blocks of nearly equal size.
void rows_by_panel(const Gemm& g, int64_t row, int64_t end, int64_t panel, int64_t k, int64_t depth) {
  const float* weights = g.panels + (panel * g.k + k) * kPanel;
  const bool last = k + depth == g.k, resumes = k > 0 || g.accumulate;
  const int64_t blocks = (end - row + kRowBlock - 1) / kRowBlock;
  for (int64_t left = blocks; left > 0; --left) {
    const int64_t count = (end - row + left - 1) / left;
    float* c = g.c + row * g.ldc + panel * kPanel;
    const float* start = resumes ? c : g.bias == nullptr ? nullptr : g.bias + panel * kPanel;
    block_for(last ? g.activation : Activation::none, count)(g.a + row * g.lda + k, g.lda, weights, depth, start,
                                                             resumes ? g.ldc : 0, c, g.ldc);
    row += count;
  }
}

void gemm(const Gemm& g) {
  const int64_t passes = (g.k + kDepth - 1) / kDepth;
  const int64_t depth = (g.k + passes - 1) / passes;  // depends on k alone, and so do the bits
  for (int64_t row = 0; row < g.rows; row += kPassRows) {
    const int64_t end = row + kPassRows < g.rows ? row + kPassRows : g.rows;
    for (int64_t k = 0; k < g.k; k += depth) {
      for (int64_t panel = g.first_panel; panel < g.last_panel; ++panel) {
        rows_by_panel(g, row, end, panel, k, k + depth < g.k ? depth : g.k - k);
      }
    }
  }
}

void pack(const float* w, int64_t ldw, int64_t n, int64_t k, float* panels) {
  for (int64_t column = 0; column < n; column += kPanel) {
    const int64_t width = n - column < kPanel ? n - column : kPanel;
    for (int64_t i = 0; i < k; ++i, panels += kPanel) {
      for (int64_t j = 0; j < kPanel; ++j) panels[j] = j < width ? w[(column + j) * ldw + i] : 0.0f;
    }
  }
}

void softmax(float* s, int64_t lds, int64_t rows, int64_t columns, float scale) {
  const int64_t padded = (columns + kPanel - 1) / kPanel * kPanel;
  for (int64_t row = 0; row < rows; ++row, s += lds) {
    for (int64_t j = columns; j < padded; ++j) s[j] = s[0];  // neither the largest nor undefined
    Vec high = load(s);
    for (int64_t j = kLanes; j < padded; j += kLanes) high = max(high, load(s + j));
    const Vec offset = set(-scale * largest(high));
    Vec total = set(0.0f);
    for_vectors(columns, [&](int64_t j, int lanes) {
      const Vec e = exp(fma(load_lanes(s + j, lanes), set(scale), offset));
      store_lanes(s + j, e, lanes);
      total = add(total, load_lanes(s + j, lanes));
    });
    const Vec share = set(1.0f / sum(total));
    for_vectors(columns, [&](int64_t j, int lanes) { store_lanes(s + j, mul(load_lanes(s + j, lanes), share), lanes); });
    for (int64_t j = columns; j < padded; ++j) s[j] = 0.0f;
  }
}

void layer_norm(const float* x, int64_t ldx, const float* residual, int64_t ldr, int64_t rows, int64_t dim,
                const float* gamma, const float* beta, float eps, float* out, int64_t ldo) {
  for (int64_t row = 0; row < rows; ++row, x += ldx, out += ldo) {
    const float* other = residual == nullptr ? nullptr : residual + row * ldr;
    Vec total = set(0.0f);
    for_vectors(dim, [&](int64_t j, int lanes) {
      Vec v = load_lanes(x + j, lanes);
      if (other != nullptr) v = add(v, load_lanes(other + j, lanes));
      store_lanes(out + j, v, lanes);
      total = add(total, v);
    });
    const float mean = sum(total) / static_cast<float>(dim);
    Vec squares = set(0.0f);
    for_vectors(dim, [&](int64_t j, int lanes) {
      Vec v = sub(load_lanes(out + j, lanes), set(mean));
      store_lanes(out + j, v, lanes);
      v = load_lanes(out + j, lanes);  // lanes beyond the row are zero again
      squares = fma(v, v, squares);
    });
    const float variance = sum(squares) / static_cast<float>(dim);
    const Vec scale = div(set(1.0f), set(__builtin_sqrtf(variance + eps)));
    for_vectors(dim, [&](int64_t j, int lanes) {
      const Vec v = mul(load_lanes(out + j, lanes), scale);
      store_lanes(out + j, fma(v, load_lanes(gamma + j, lanes), load_lanes(beta + j, lanes)), lanes);
    });
  }
}

}  // namespace
}  // namespace distilserve

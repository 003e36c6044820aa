// The training kernels, written over the vectors of vector_*.h: included once by each instruction set's file.
#pragma once

#include "functions.h"
#include "training_kernels.h"

namespace distilserve {
namespace {

void gelu_all(const float* x, float* y, int64_t count) {
  for_vectors(count, [&](int64_t i, int lanes) { store_lanes(y + i, gelu(load_lanes(x + i, lanes)), lanes); });
}

// gelu'(x) = Phi(x) + x phi(x), the normal distribution and its density.
void gelu_backward(const float* x, float* dy, int64_t count) {
  for_vectors(count, [&](int64_t i, int lanes) {
    const Vec v = load_lanes(x + i, lanes);
    const Vec density = mul(exp(mul(set(-0.5f), mul(v, v))), set(0.39894228f));
    const Vec slope = fma(v, density, normal_distribution(v));
    store_lanes(dy + i, mul(load_lanes(dy + i, lanes), slope), lanes);
  });
}

// Well-mixed 32 bits of (key, index): two rounds of multiply and shift over each.
inline uint32_t random_bits(uint32_t key, uint32_t index) {
  uint32_t h = index * 0x9e3779b1u ^ key;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  h ^= h >> 16;
  h += key;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 15);
}

void dropout(float* x, int64_t count, uint32_t start, const Dropout& d) {
  const uint32_t key = d.key, threshold = d.threshold;
  const float scale = d.scale;
  for (int64_t i = 0; i < count; ++i) {
    const float kept = x[i] * scale;
    x[i] = random_bits(key, start + static_cast<uint32_t>(i)) < threshold ? 0.0f : kept;
  }
}

float layer_norm_row(const float* x, const float* residual, int64_t dim, const float* gamma, const float* beta, float eps,
                     float* normed, float* out) {
  Vec total = set(0.0f);
  for_vectors(dim, [&](int64_t j, int lanes) {
    Vec v = load_lanes(x + j, lanes);
    if (residual != nullptr) v = add(v, load_lanes(residual + j, lanes));
    store_lanes(normed + j, v, lanes);
    total = add(total, v);
  });
  const Vec mean = set(sum(total) / static_cast<float>(dim));
  Vec squares = set(0.0f);
  for_vectors(dim, [&](int64_t j, int lanes) {
    store_lanes(normed + j, sub(load_lanes(normed + j, lanes), mean), lanes);
    const Vec v = load_lanes(normed + j, lanes);  // lanes beyond the row are zero again
    squares = fma(v, v, squares);
  });
  const float rstd = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(dim) + eps);
  for_vectors(dim, [&](int64_t j, int lanes) {
    const Vec v = mul(load_lanes(normed + j, lanes), set(rstd));
    store_lanes(normed + j, v, lanes);
    store_lanes(out + j, fma(v, load_lanes(gamma + j, lanes), load_lanes(beta + j, lanes)), lanes);
  });
  return rstd;
}

void layer_norm_backward(const float* dy, const float* normed, float rstd, const float* gamma, int64_t dim, float* dx) {
  Vec total = set(0.0f), product = set(0.0f);
  for_vectors(dim, [&](int64_t j, int lanes) {
    const Vec g = mul(load_lanes(dy + j, lanes), load_lanes(gamma + j, lanes));
    total = add(total, g);
    product = fma(g, load_lanes(normed + j, lanes), product);
  });
  const Vec mean = set(sum(total) / static_cast<float>(dim));
  const Vec slope = set(-sum(product) / static_cast<float>(dim));
  for_vectors(dim, [&](int64_t j, int lanes) {
    const Vec g = mul(load_lanes(dy + j, lanes), load_lanes(gamma + j, lanes));
    const Vec d = fma(load_lanes(normed + j, lanes), slope, sub(g, mean));
    store_lanes(dx + j, mul(d, set(rstd)), lanes);
  });
}

void layer_norm_sums(const float* dy, const float* normed, int64_t stride, int64_t rows, int64_t columns, float* dgamma,
                     float* dbeta) {
  for_vectors(columns, [&](int64_t j, int lanes) {
    Vec products = set(0.0f), total = set(0.0f);
    for (int64_t row = 0; row < rows; ++row) {
      const Vec d = load_lanes(dy + row * stride + j, lanes);
      products = fma(d, load_lanes(normed + row * stride + j, lanes), products);
      total = add(total, d);
    }
    store_lanes(dgamma + j, products, lanes);
    store_lanes(dbeta + j, total, lanes);
  });
}

void column_sums(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sums) {
  for_vectors(columns, [&](int64_t j, int lanes) {
    Vec total = set(0.0f);
    for (int64_t row = 0; row < rows; ++row) total = add(total, load_lanes(x + row * stride + j, lanes));
    store_lanes(sums + j, total, lanes);
  });
}

void softmax_backward(const float* p, float* dp, int64_t columns, float scale) {
  Vec product = set(0.0f);
  for_vectors(columns, [&](int64_t j, int lanes) {
    product = fma(load_lanes(p + j, lanes), load_lanes(dp + j, lanes), product);
  });
  const Vec total = set(sum(product));
  for_vectors(columns, [&](int64_t j, int lanes) {
    const Vec d = mul(load_lanes(p + j, lanes), sub(load_lanes(dp + j, lanes), total));
    store_lanes(dp + j, mul(d, set(scale)), lanes);
  });
}

void add_to(float* to, const float* from, int64_t count) {
  for_vectors(count, [&](int64_t i, int lanes) {
    store_lanes(to + i, add(load_lanes(to + i, lanes), load_lanes(from + i, lanes)), lanes);
  });
}

// In squares of 16: a square's lines of both matrices stay in the first-level cache.
void transpose(const float* a, int64_t lda, int64_t rows, int64_t columns, float* out, int64_t ldo) {
  constexpr int64_t kSide = 16;
  for (int64_t row = 0; row < rows; row += kSide) {
    const int64_t row_end = row + kSide < rows ? row + kSide : rows;
    for (int64_t column = 0; column < columns; column += kSide) {
      const int64_t column_end = column + kSide < columns ? column + kSide : columns;
      for (int64_t j = column; j < column_end; ++j) {
        for (int64_t i = row; i < row_end; ++i) out[j * ldo + i] = a[i * lda + j];
      }
    }
  }
}

float square_sum(const float* x, int64_t count) {
  Vec total = set(0.0f);
  for_vectors(count, [&](int64_t i, int lanes) {
    const Vec v = load_lanes(x + i, lanes);
    total = fma(v, v, total);
  });
  return sum(total);
}

void adamw(float* p, const float* g, float* m, float* v, int64_t count, const AdamW& s) {
  for_vectors(count, [&](int64_t i, int lanes) {
    const Vec gradient = mul(load_lanes(g + i, lanes), set(s.gradient_scale));
    const Vec mean = fma(sub(gradient, load_lanes(m + i, lanes)), set(1.0f - s.beta1), load_lanes(m + i, lanes));
    const Vec square = fma(mul(gradient, gradient), set(1.0f - s.beta2), mul(load_lanes(v + i, lanes), set(s.beta2)));
    store_lanes(m + i, mean, lanes);
    store_lanes(v + i, square, lanes);
    const Vec root = fma(sqrt(square), set(s.root_correction), set(s.eps));
    const Vec decayed = mul(load_lanes(p + i, lanes), set(s.decay));
    store_lanes(p + i, sub(decayed, div(mul(mean, set(s.step_size)), root)), lanes);
  });
}

}  // namespace
}  // namespace distilserve

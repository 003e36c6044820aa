// What a training step needs beside the products and the softmax of kernels.h. As there: no torch, no standard library.
#pragma once

#include <stdint.h>

namespace distilserve {

// Which values a dropout removes is a function of key and index alone, so that the backward pass draws them again and no
// mask is kept.
struct Dropout {
  uint32_t key;
  uint32_t threshold;  // a value is removed when its random 32 bits are below
  float scale;         // what the others are multiplied by: 1 / (1 - p)
};

struct AdamW {
  float decay;              // 1 - lr * weight_decay
  float beta1, beta2, eps;
  float step_size;          // lr / (1 - beta1^t)
  float root_correction;    // 1 / sqrt(1 - beta2^t)
  float gradient_scale;     // from clipping
};

struct TrainingKernels {
  // y[i] = gelu(x[i])
  void (*gelu)(const float* x, float* y, int64_t count);
  // dy[i] *= gelu'(x[i])
  void (*gelu_backward)(const float* x, float* dy, int64_t count);
  // x[i] = 0 or x[i] * scale, values i being index `start + i` of the dropout
  void (*dropout)(float* x, int64_t count, uint32_t start, const Dropout& dropout);
  // LayerNorm of x + residual (null: x) for one row [dim]: `normed` before and `out` after gamma and beta. Returns
  // 1 / sqrt(variance + eps).
  float (*layer_norm)(const float* x, const float* residual, int64_t dim, const float* gamma, const float* beta, float eps,
                      float* normed, float* out);
  // One row: dx = rstd * (g - mean(g) - normed * mean(g * normed)), g = dy * gamma. dx may be dy.
  void (*layer_norm_backward)(const float* dy, const float* normed, float rstd, const float* gamma, int64_t dim, float* dx);
  // dgamma[j] = sum of dy[row][j] * normed[row][j], dbeta[j] = sum of dy[row][j], for `columns` columns
  void (*layer_norm_sums)(const float* dy, const float* normed, int64_t stride, int64_t rows, int64_t columns, float* dgamma,
                          float* dbeta);
  // sums[j] = sum of x[row][j], for `columns` columns
  void (*column_sums)(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sums);
  // One row of softmax's backward: dp[j] = scale * p[j] * (dp[j] - sum of dp * p)
  void (*softmax_backward)(const float* p, float* dp, int64_t columns, float scale);
  // to[i] += from[i]
  void (*add)(float* to, const float* from, int64_t count);
  // out [columns, rows] = a [rows, columns]
  void (*transpose)(const float* a, int64_t lda, int64_t rows, int64_t columns, float* out, int64_t ldo);
  float (*square_sum)(const float* x, int64_t count);
  // AdamW of Loshchilov & Hutter 2019, weights decayed apart from the gradient.
  void (*adamw)(float* p, const float* g, float* m, float* v, int64_t count, const AdamW& step);
};

extern const TrainingKernels kAvx2Training;
extern const TrainingKernels kAvx512Training;

}  // namespace distilserve

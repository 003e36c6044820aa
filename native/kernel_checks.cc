#include "kernel_checks.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "rounding.h"

namespace distilserve {
namespace {

constexpr double kTolerance = 2e-6;

// Not the default generator: a check must not move the random numbers of a training.
at::Tensor random(at::IntArrayRef sizes) {
  static at::Generator generator = at::detail::createCPUGenerator(/*seed=*/1);
  return at::randn(sizes, generator);
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  if (activation == Activation::gelu) return at::gelu(x);
  if (activation == Activation::relu) return at::relu(x);
  return x;
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

double norm_difference(const KernelSet& set, int64_t dim) {
  const at::Tensor x = random({5, dim}), other = random({5, dim}), gamma = random({dim}), beta = random({dim});
  at::Tensor out = at::empty({5, dim});
  set.layer_norm(x.data_ptr<float>(), dim, other.data_ptr<float>(), dim, 5, dim, gamma.data_ptr<float>(),
                 beta.data_ptr<float>(), 1e-12f, out.data_ptr<float>(), dim);
  const at::Tensor expected = at::layer_norm((x + other).to(at::kDouble), {dim}, gamma.to(at::kDouble),
                                             beta.to(at::kDouble), 1e-12);
  return largest(out - expected) / 10;  // values reach 10
}

double softmax_difference(const KernelSet& set, int64_t columns) {
  const int64_t padded = round_up(columns, set.panel);
  at::Tensor s = random({3, padded}) * 10;
  const at::Tensor expected = at::softmax(s.narrow(1, 0, columns).to(at::kDouble) * 0.3, 1);
  set.softmax(s.data_ptr<float>(), padded, 3, columns, 0.3f);
  const double rest = padded > columns ? largest(s.narrow(1, columns, padded - columns)) : 0;
  return std::max(rest, largest(s.narrow(1, 0, columns) - expected));
}

std::string judged(double worst) {
  if (worst <= kTolerance) return "";
  std::ostringstream text;
  text << "differs from ATen by " << worst << " on this CPU";
  return text.str();
}

// [rows, width], columns of the panels beyond n included.
at::Tensor multiply(const LinearKernels& kernels, const at::Tensor& a, const at::Tensor& w, const at::Tensor& bias,
                    Activation activation) {
  const int64_t rows = a.size(0), k = a.size(1), n = w.size(0), panels = ceil_div(n, kernels.panel);
  const int64_t stride = kernels.row_bytes(k), block_rows = round_up(rows, kernels.row_block);
  at::Tensor packed = at::empty({panels * kernels.panel_bytes(k)}, at::kByte);
  at::Tensor converted = at::full({block_rows * stride}, 0xff, at::kByte);  // what lies beyond must not matter
  at::Tensor c = at::empty({rows, panels * kernels.panel});
  kernels.pack(w.const_data_ptr<float>(), k, n, k, packed.data_ptr<uint8_t>());
  kernels.convert(a.const_data_ptr<float>(), k, rows, k, converted.data_ptr<uint8_t>(), stride);
  kernels.gemm({converted.const_data_ptr<uint8_t>(), stride, rows, k, packed.const_data_ptr<uint8_t>(), 0, panels,
                bias.const_data_ptr<float>(), c.data_ptr<float>(), c.stride(0), activation});
  return c;
}

// The integers of int8 and what one step of them is worth, by ATen; [rows, n].
struct Integers {
  at::Tensor product, step;
};

Integers multiply_integers(const at::Tensor& a, const at::Tensor& w, int64_t levels) {
  const at::Tensor column_scale = w.abs().amax(1) / 127;                                     // [n]
  const at::Tensor low = a.amin(1).clamp_max(0), high = a.amax(1).clamp_min(0);              // [rows]
  const at::Tensor row_scale = (high - low) / static_cast<double>(levels);
  const at::Tensor inverse = row_scale.reciprocal(), zero = (-low * inverse).round();
  const at::Tensor values = ((a * inverse.unsqueeze(1)).round() + zero.unsqueeze(1)).clamp(0, levels) - zero.unsqueeze(1);
  const at::Tensor weights = (w / column_scale.unsqueeze(1)).round();
  return {at::linear(values.to(at::kDouble), weights.to(at::kDouble)),
          row_scale.to(at::kDouble).unsqueeze(1) * column_scale.to(at::kDouble)};
}

}  // namespace

double gemm_difference(const KernelSet& set, int64_t rows, int64_t n, int64_t k, Activation activation) {
  const c10::InferenceMode inference_mode;
  const int64_t panels = ceil_div(n, set.panel), width = panels * set.panel;
  const at::Tensor a = random({rows, k}), w = random({n, k});
  at::Tensor bias = at::zeros({width}), packed = at::empty({panels * k * set.panel}), c = at::empty({rows, width});
  bias.narrow(0, 0, n).copy_(random({n}));
  set.pack(w.data_ptr<float>(), k, n, k, packed.data_ptr<float>());
  set.gemm({a.data_ptr<float>(), k, rows, k, packed.data_ptr<float>(), 0, panels, bias.data_ptr<float>(),
            c.data_ptr<float>(), width, activation});
  const at::Tensor wide_a = a.to(at::kDouble), wide_w = w.to(at::kDouble);
  const at::Tensor expected = activate(at::linear(wide_a, wide_w, bias.narrow(0, 0, n).to(at::kDouble)), activation);
  const at::Tensor magnitude = at::linear(wide_a.abs(), wide_w.abs()) + 1;
  return largest((c.narrow(1, 0, n) - expected) / magnitude);
}

double gemm_difference(const LinearKernels& kernels, at::ScalarType dtype, int64_t rows, int64_t n, int64_t k,
                       Activation activation) {
  const c10::InferenceMode inference_mode;
  // Skewed as GELU's outputs are, and each row of another size.
  const at::Tensor a = (random({rows, k}) + 0.3) * (random({rows, 1}).abs() + 0.1), w = random({n, k});
  at::Tensor bias = at::zeros({round_up(n, kernels.panel)});
  bias.narrow(0, 0, n).copy_(random({n}));
  const at::Tensor c = multiply(kernels, a, w, bias, activation).narrow(1, 0, n);
  at::Tensor product, magnitude;
  if (dtype == at::kChar) {
    const Integers integers = multiply_integers(a, w, kernels.levels);
    product = integers.product * integers.step;
    magnitude = product.abs() + integers.step;
  } else {
    const at::Tensor rounded_a = a.to(dtype).to(at::kDouble), rounded_w = w.to(dtype).to(at::kDouble);
    product = at::linear(rounded_a, rounded_w);
    magnitude = at::linear(rounded_a.abs(), rounded_w.abs());
  }
  const at::Tensor wide_bias = bias.narrow(0, 0, n).to(at::kDouble);
  return largest((c - activate(product + wide_bias, activation)) / (magnitude + wide_bias.abs()));
}

std::string disagreement(const KernelSet& set) {
  const c10::InferenceMode inference_mode;
  double worst = 0;
  for (const int64_t rows : {int64_t{1}, set.row_block, 3 * set.row_block + 1}) {
    for (const Activation activation : {Activation::none, Activation::gelu, Activation::relu}) {
      worst = std::max(worst, gemm_difference(set, rows, set.panel + 3, 100, activation));
    }
  }
  worst = std::max(worst, gemm_difference(set, 2, 5, 800, Activation::none));
  for (const int64_t size : {1, 7, 33, 384}) {
    worst = std::max({worst, norm_difference(set, size == 1 ? 64 : size), softmax_difference(set, size)});
  }
  return judged(worst);
}

std::string disagreement(const LinearKernels& kernels, at::ScalarType dtype) {
  double worst = 0;
  for (const int64_t rows : {int64_t{1}, kernels.row_block / 2, 2 * kernels.row_block + 1}) {
    for (const Activation activation : {Activation::none, Activation::gelu, Activation::relu}) {
      worst = std::max(worst, gemm_difference(kernels, dtype, rows, kernels.panel + 3, 101, activation));
    }
  }
  return judged(std::max(worst, gemm_difference(kernels, dtype, 2, 5, 800, Activation::none)));
}

}  // namespace distilserve

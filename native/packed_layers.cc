#include "packed_layers.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "parallel_gemm.h"
#include "thread_team.h"

namespace distilserve {
namespace {

constexpr int64_t kWidestPanel = 32, kLine = 16;
constexpr int64_t kRowsPerChunk = 16, kColumnsPerChunk = 64;

uint64_t mix(uint64_t x) {  // splitmix64's finaliser
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

void Matrix::resize(int64_t rows, int64_t columns) {
  // An odd number of lines: the rows of a block do not fight for the same lines of the first-level cache.
  stride_ = (round_up(columns, kWidestPanel) / kLine | 1) * kLine;
  rows_ = rows;
  columns_ = columns;
  const int64_t wanted = rows * stride_;
  if (wanted <= capacity_) return;
  data_.reset();
  capacity_ = std::max(wanted, capacity_ + capacity_ / 2);
  data_.reset(static_cast<float*>(std::aligned_alloc(64, capacity_ * sizeof(float))));
  if (data_ == nullptr) throw std::bad_alloc();
}

void Matrix::fill_zero() { std::memset(data_.get(), 0, rows_ * stride_ * sizeof(float)); }

void Linear::forward(const Matrix& x, Matrix& y, ProductScratch& scratch) const {
  const KernelSet& set = *kernels_.products;
  scratch.panels.resize(1, packed_size(set, out_, in_));
  parallel_pack(set, weight_.value, in_, out_, in_, scratch.panels.row(0));
  scratch.bias.resize(1, out_);
  scratch.bias.fill_zero();
  std::copy_n(bias_.value, out_, scratch.bias.row(0));
  y.resize(x.rows(), out_);
  parallel_gemm(set, {x.row(0), x.stride(), x.rows(), in_, scratch.panels.row(0), 0, ceil_div(out_, set.panel),
                      scratch.bias.row(0), y.row(0), y.stride(), Activation::none});
}

void Linear::backward_parameters(const Matrix& dy, const Matrix& x, ProductScratch& scratch) const {
  const KernelSet& set = *kernels_.products;
  const int64_t rows = dy.rows();
  parallel_chunks(out_, kColumnsPerChunk, [&](int64_t first, int64_t count) {
    kernels_.others->column_sums(dy.row(0) + first, dy.stride(), rows, count, bias_.gradient + first);
  });
  scratch.transposed.resize(out_, rows);
  parallel_chunks(out_, kColumnsPerChunk, [&](int64_t first, int64_t count) {
    kernels_.others->transpose(dy.row(0) + first, dy.stride(), rows, count, scratch.transposed.row(first),
                               scratch.transposed.stride());
  });
  scratch.panels.resize(1, packed_size(set, in_, rows));
  parallel_pack_rows(set, x.row(0), x.stride(), rows, in_, scratch.panels.row(0));
  Gemm product = {scratch.transposed.row(0), scratch.transposed.stride(), out_, rows, scratch.panels.row(0), 0,
                  ceil_div(in_, set.panel), nullptr, weight_.gradient, in_, Activation::none};
  if (in_ % set.panel == 0) return parallel_gemm(set, product);
  scratch.product.resize(out_, in_);
  product.c = scratch.product.row(0);
  product.ldc = scratch.product.stride();
  parallel_gemm(set, product);
  for (int64_t row = 0; row < out_; ++row) std::copy_n(scratch.product.row(row), in_, weight_.gradient + row * in_);
}

void Linear::backward_input(const Matrix& dy, Matrix& dx, bool accumulate, ProductScratch& scratch) const {
  const KernelSet& set = *kernels_.products;
  scratch.panels.resize(1, packed_size(set, in_, out_));
  parallel_pack_rows(set, weight_.value, in_, out_, in_, scratch.panels.row(0));
  if (!accumulate) dx.resize(dy.rows(), in_);
  parallel_gemm(set, {dy.row(0), dy.stride(), dy.rows(), out_, scratch.panels.row(0), 0, ceil_div(in_, set.panel),
                      nullptr, dx.row(0), dx.stride(), Activation::none, accumulate});
}

void Norm::forward(const Matrix& x, const Matrix* residual, Matrix& out) {
  const int64_t rows = x.rows();
  normed_.resize(rows, dim_);
  rstd_.resize(1, rows);
  out.resize(rows, dim_);
  parallel_chunks(rows, kRowsPerChunk, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) {
      rstd_.row(0)[row] = kernels_.others->layer_norm(x.row(row), residual == nullptr ? nullptr : residual->row(row), dim_,
                                                      gamma_.value, beta_.value, eps_, normed_.row(row), out.row(row));
    }
  });
}

void Norm::backward(Matrix& dy) const {
  parallel_chunks(dim_, kColumnsPerChunk, [&](int64_t first, int64_t count) {
    kernels_.others->layer_norm_sums(dy.row(0) + first, normed_.row(0) + first, dy.stride(), dy.rows(), count,
                                     gamma_.gradient + first, beta_.gradient + first);
  });
  parallel_chunks(dy.rows(), kRowsPerChunk, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) {
      kernels_.others->layer_norm_backward(dy.row(row), normed_.row(row), rstd_.row(0)[row], gamma_.value, dim_,
                                           dy.row(row));
    }
  });
}

Dropout make_dropout(double p, uint64_t seed, uint64_t step, uint32_t site) {
  const uint64_t bits = mix(mix(mix(seed) ^ step) ^ site);
  return {static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(p * 4294967296.0), static_cast<float>(1.0 / (1.0 - p))};
}

void apply_dropout(Kernels kernels, Matrix& x, const Dropout& dropout) {
  if (dropout.threshold == 0) return;
  parallel_chunks(x.rows(), kRowsPerChunk, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) {
      kernels.others->dropout(x.row(row), x.columns(), static_cast<uint32_t>(row * x.columns()), dropout);
    }
  });
}

void add(Kernels kernels, Matrix& to, const Matrix& from) {
  parallel_chunks(to.rows(), kRowsPerChunk, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) kernels.others->add(to.row(row), from.row(row), to.columns());
  });
}

void copy(const Matrix& from, Matrix& to) {
  to.resize(from.rows(), from.columns());
  std::memcpy(to.row(0), from.row(0), from.rows() * from.stride() * sizeof(float));
}

}  // namespace distilserve

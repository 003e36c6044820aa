// The layers of a training step on the CPU, forward and backward by hand, over packed rows. A gradient is a sum over the
// tokens in their order: neither the threads nor the cut of the work change a bit of it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "kernels/kernels.h"
#include "kernels/training_kernels.h"

namespace distilserve {

// [rows, columns] float32 in memory that is kept when it shrinks. Rows are wide enough for whole panels.
class Matrix {
 public:
  // Contents are undefined afterwards.
  void resize(int64_t rows, int64_t columns);
  void fill_zero();

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t stride() const { return stride_; }
  float* row(int64_t index) { return data_.get() + index * stride_; }
  const float* row(int64_t index) const { return data_.get() + index * stride_; }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }
  };
  std::unique_ptr<float, Free> data_;
  int64_t capacity_ = 0, rows_ = 0, columns_ = 0, stride_ = 0;
};

struct Kernels {
  const KernelSet* products;
  const TrainingKernels* others;
};

// A parameter and where its gradient goes, both of the same shape and dense.
struct Parameter {
  const float* value = nullptr;
  float* gradient = nullptr;
};

// Buffers that the products of all layers share.
struct ProductScratch {
  Matrix panels, transposed, bias, product;
};

// y = x w^T + b; w [out, in], b [out]
class Linear {
 public:
  Linear(Kernels kernels, Parameter weight, Parameter bias, int64_t in, int64_t out)
      : kernels_(kernels), weight_(weight), bias_(bias), in_(in), out_(out) {}

  int64_t out() const { return out_; }

  void forward(const Matrix& x, Matrix& y, ProductScratch& scratch) const;
  // The gradients of weight and bias from dy [rows, out] and the layer's input x [rows, in].
  void backward_parameters(const Matrix& dy, const Matrix& x, ProductScratch& scratch) const;
  // dx = dy w, or dx += dy w
  void backward_input(const Matrix& dy, Matrix& dx, bool accumulate, ProductScratch& scratch) const;

 private:
  Kernels kernels_;
  Parameter weight_, bias_;
  int64_t in_, out_;
};

// LayerNorm(x + residual), with what its backward pass needs.
class Norm {
 public:
  Norm(Kernels kernels, Parameter gamma, Parameter beta, int64_t dim, float eps)
      : kernels_(kernels), gamma_(gamma), beta_(beta), dim_(dim), eps_(eps) {}

  // residual may be null
  void forward(const Matrix& x, const Matrix* residual, Matrix& out);
  // dy becomes the gradient of the sum x + residual
  void backward(Matrix& dy) const;

 private:
  Kernels kernels_;
  Parameter gamma_, beta_;
  int64_t dim_;
  float eps_;
  Matrix normed_, rstd_;
};

// None where p is 0. `site` tells the places of a step apart.
Dropout make_dropout(double p, uint64_t seed, uint64_t step, uint32_t site);
void apply_dropout(Kernels kernels, Matrix& x, const Dropout& dropout);

// to += from, of the same shape
void add(Kernels kernels, Matrix& to, const Matrix& from);
void copy(const Matrix& from, Matrix& to);

}  // namespace distilserve

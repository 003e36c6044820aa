// The face of the CPU kernels. One set per instruction set; the files behind it are compiled with flags of their own and
// include neither torch nor the standard library: the linter keeps one copy of an inline function, and a copy compiled
// for a wider CPU would end a smaller one with SIGILL.
#pragma once

#include <stdint.h>

namespace distilserve {

enum class Activation { none, gelu, relu };

// c[rows, columns] = activation(a[rows, k] * w^T + bias), for whole panels of columns. Every element is one chain of
// multiply-adds over k in rising order, whatever the rows beside it: the bits do not depend on the batch, nor on how the
// work is cut.
struct Gemm {
  const float* a;       // [rows, k], row stride lda
  int64_t lda;
  int64_t rows;
  int64_t k;
  const float* panels;  // packed by pack()
  int64_t first_panel;  // this call computes panels first_panel to last_panel - 1
  int64_t last_panel;
  const float* bias;    // [panels * panel], or null
  float* c;             // [rows, at least last_panel * panel], row stride ldc; columns are counted from panel 0
  int64_t ldc;
  Activation activation;
  bool accumulate = false;  // add to what c holds, in place of the bias
};

// c = activation(a * w^T + bias) where a and w were converted to a narrower dtype. A row's result depends on that row alone.
struct ConvertedGemm {
  const uint8_t* a;       // `rows` rows by convert(), and readable memory up to the next multiple of row_block
  int64_t stride;         // of a, in bytes
  int64_t rows;
  int64_t k;
  const uint8_t* panels;  // packed by pack()
  int64_t first_panel;    // this call computes panels first_panel to last_panel - 1
  int64_t last_panel;
  const float* bias;      // [panels * panel]
  float* c;               // [rows, at least last_panel * panel], row stride ldc; columns are counted from panel 0
  int64_t ldc;
  Activation activation;
};

// Linear layers in a dtype narrower than float32; input, bias, activation and result are float32.
struct LinearKernels {
  const char* name;
  int64_t panel;       // columns of a packed panel
  int64_t row_block;   // rows that one pass over a panel serves
  int64_t levels;      // int8: the largest value of a converted input, 255 or 127; bfloat16: 0
  int64_t (*row_bytes)(int64_t k);    // of a converted row, a multiple of 64
  int64_t (*panel_bytes)(int64_t k);
  // w [n, k] (row stride ldw) -> ceil(n / panel) panels, columns beyond n zero.
  void (*pack)(const float* w, int64_t ldw, int64_t n, int64_t k, uint8_t* panels);
  // a [rows, k] (row stride lda) -> rows `stride` bytes apart.
  void (*convert)(const float* a, int64_t lda, int64_t rows, int64_t k, uint8_t* out, int64_t stride);
  void (*gemm)(const ConvertedGemm& call);
};

struct KernelSet {
  const char* name;
  int64_t panel;       // columns of a packed panel
  int64_t row_block;   // rows that one pass over a panel serves
  // w [n, k] (row stride ldw) -> panels [ceil(n / panel)][k][panel], columns beyond n zero.
  void (*pack)(const float* w, int64_t ldw, int64_t n, int64_t k, float* panels);
  void (*gemm)(const Gemm& call);
  // Rows of s [rows, columns] become softmax(scale * s); columns up to the next multiple of `panel` are set to zero.
  void (*softmax)(float* s, int64_t lds, int64_t rows, int64_t columns, float scale);
  // out = LayerNorm(x + residual); residual may be null, out may be x. All [rows, dim].
  void (*layer_norm)(const float* x, int64_t ldx, const float* residual, int64_t ldr, int64_t rows, int64_t dim,
                     const float* gamma, const float* beta, float eps, float* out, int64_t ldo);
};

extern const KernelSet kAvx2Kernels;
extern const KernelSet kAvx512Kernels;

// A kernel set whose `gemm` is null is one that the compiler of this build does not know.
extern const LinearKernels kInt8Avx2Kernels;
extern const LinearKernels kInt8AvxVnniKernels;
extern const LinearKernels kInt8Avx512VnniKernels;
extern const LinearKernels kInt8AmxKernels;
extern const LinearKernels kBfloat16Avx512Kernels;
extern const LinearKernels kBfloat16AmxKernels;

}  // namespace distilserve

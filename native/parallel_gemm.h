// Products and packing by all threads of the lease.
#pragma once

#include "kernels/kernels.h"

namespace distilserve {

// Like kernels.gemm(whole), cut into chunks of rows and panels. The cut does not change a bit of the result.
void parallel_gemm(const KernelSet& kernels, const Gemm& whole);

// The same for rows that parallel_convert() made.
void parallel_gemm(const LinearKernels& kernels, const ConvertedGemm& whole);

// kernels.convert() of x [rows, k] (row stride ldx), rows `stride` bytes apart.
void parallel_convert(const LinearKernels& kernels, const float* x, int64_t ldx, int64_t rows, int64_t k, uint8_t* out,
                      int64_t stride);

// Floats that the panels of n columns and depth k take.
int64_t packed_size(const KernelSet& kernels, int64_t n, int64_t k);

// w [n, k] as the columns of a product: kernels.pack().
void parallel_pack(const KernelSet& kernels, const float* w, int64_t ldw, int64_t n, int64_t k, float* panels);

// w [k, n] as it stands as the right side of a product a w.
void pack_rows(const KernelSet& kernels, const float* w, int64_t ldw, int64_t k, int64_t n, float* panels);
void parallel_pack_rows(const KernelSet& kernels, const float* w, int64_t ldw, int64_t k, int64_t n, float* panels);

}  // namespace distilserve

#include "parallel_gemm.h"

#include <algorithm>
#include <cstring>

#include "thread_team.h"

namespace distilserve {
namespace {

constexpr int64_t kRowsPerChunk = 14 * 14;  // what a kernel works through with one part of the weights in its cache
constexpr int64_t kChunksPerThread = 8;     // so that no thread waits long for the last one

constexpr int64_t kRowsPerConversion = 16;

// Calls kernels.gemm() for chunks of `chunk_rows` rows, `row_stride` of a apart, and some of the panels.
template <typename Set, typename Product>
void parallel_chunks(const Set& kernels, const Product& whole, int64_t chunk_rows, int64_t row_stride) {
  const int64_t panels = whole.last_panel - whole.first_panel, threads = parallel_threads();
  const int64_t row_chunks = ceil_div(whole.rows, chunk_rows);
  const int64_t column_chunks = threads == 1 ? 1 : std::min(panels, ceil_div(threads * kChunksPerThread, row_chunks));
  parallel_for(row_chunks * column_chunks, [&](int64_t chunk) {
    const int64_t row = chunk / column_chunks * chunk_rows, column = chunk % column_chunks;
    Product part = whole;
    part.a += row * row_stride;
    part.c += row * part.ldc;
    part.rows = std::min(chunk_rows, whole.rows - row);
    part.first_panel = whole.first_panel + panels * column / column_chunks;
    part.last_panel = whole.first_panel + panels * (column + 1) / column_chunks;
    kernels.gemm(part);
  });
}

// One panel: columns `column` to `column + panel` of w [k, n].
void pack_panel_of_rows(const KernelSet& kernels, const float* w, int64_t ldw, int64_t k, int64_t n, int64_t column,
                        float* to) {
  const int64_t width = std::min(kernels.panel, n - column);
  for (int64_t i = 0; i < k; ++i, to += kernels.panel) {
    std::memcpy(to, w + i * ldw + column, width * sizeof(float));
    std::fill(to + width, to + kernels.panel, 0.0f);
  }
}

}  // namespace

void parallel_gemm(const KernelSet& kernels, const Gemm& whole) { parallel_chunks(kernels, whole, kRowsPerChunk, whole.lda); }

void parallel_gemm(const LinearKernels& kernels, const ConvertedGemm& whole) {
  // Whole blocks: what a block reads beyond the rows of its chunk would be another's otherwise, and be computed twice.
  parallel_chunks(kernels, whole, kRowsPerChunk / kernels.row_block * kernels.row_block, whole.stride);
}

void parallel_convert(const LinearKernels& kernels, const float* x, int64_t ldx, int64_t rows, int64_t k, uint8_t* out,
                      int64_t stride) {
  parallel_chunks(rows, kRowsPerConversion, [&](int64_t row, int64_t count) {
    kernels.convert(x + row * ldx, ldx, count, k, out + row * stride, stride);
  });
}

int64_t packed_size(const KernelSet& kernels, int64_t n, int64_t k) {
  return round_up(n, kernels.panel) * k;
}

void parallel_pack(const KernelSet& kernels, const float* w, int64_t ldw, int64_t n, int64_t k, float* panels) {
  parallel_for(ceil_div(n, kernels.panel), [&](int64_t panel) {
    const int64_t column = panel * kernels.panel;
    kernels.pack(w + column * ldw, ldw, std::min(kernels.panel, n - column), k, panels + column * k);
  });
}

void pack_rows(const KernelSet& kernels, const float* w, int64_t ldw, int64_t k, int64_t n, float* panels) {
  for (int64_t column = 0; column < n; column += kernels.panel) {
    pack_panel_of_rows(kernels, w, ldw, k, n, column, panels + column * k);
  }
}

void parallel_pack_rows(const KernelSet& kernels, const float* w, int64_t ldw, int64_t k, int64_t n, float* panels) {
  parallel_for(ceil_div(n, kernels.panel), [&](int64_t panel) {
    const int64_t column = panel * kernels.panel;
    pack_panel_of_rows(kernels, w, ldw, k, n, column, panels + column * k);
  });
}

}  // namespace distilserve

// bfloat16: values rounded to nearest even, float32 sums. Included after vector_avx512.h.
#pragma once

#include <stdint.h>

namespace distilserve {
namespace {

constexpr int64_t kValueBytes = 2;

}  // namespace
}  // namespace distilserve

#include "converted.h"

namespace distilserve {
namespace {

int64_t panel_bytes(int64_t k) { return depth_bytes(k) * kPanel; }

inline uint16_t to_bfloat16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void pack(const float* w, int64_t ldw, int64_t n, int64_t k, uint8_t* panels) {
  const int64_t depth = depth_bytes(k) / kValueBytes;
  for_columns(w, ldw, n, panel_bytes(k), panels, [&](const float* column, uint8_t* panel, int64_t j) {
    uint16_t* values = reinterpret_cast<uint16_t*>(panel);
    for (int64_t i = 0; i < depth; ++i) values[place(i, j)] = column != nullptr && i < k ? to_bfloat16(column[i]) : 0;
  });
}

void convert_row(const float* a, int64_t k, uint8_t* out) {
  uint16_t* values = reinterpret_cast<uint16_t*>(out + kLine);
  // Not a number times zero is none either: what lies beyond k is zero here too.
  for_vectors(depth_bytes(k) / kValueBytes, [&](int64_t j, int lanes) {
    const int64_t left = k - j;
    store_bfloat16(values + j, left >= kLanes ? load(a + j) : load_first(a + j, left > 0 ? static_cast<int>(left) : 0));
  });
}

void convert(const float* a, int64_t lda, int64_t rows, int64_t k, uint8_t* out, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) convert_row(a + row * lda, k, out + row * stride);
}

using Sums = Vec;

inline Sums no_sums() { return set(0.0f); }

template <Activation activation>
inline void finish(Sums first, Sums second, const uint8_t* row, const uint8_t* columns, const float* bias, float* c) {
  store(c, activate_fast<activation>(add(first, load(bias))));
  store(c + kLanes, activate_fast<activation>(add(second, load(bias + kLanes))));
}

}  // namespace
}  // namespace distilserve

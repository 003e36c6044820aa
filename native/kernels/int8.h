// int8: rows with a scale and a zero point of their own, columns of w with a scale of their own, exact integer sums.
// Included after vector_*.h and a constant kLevels, the largest value of a converted input.
#pragma once

#include <stdint.h>

namespace distilserve {
namespace {

constexpr int64_t kValueBytes = 1;

}  // namespace
}  // namespace distilserve

#include "converted.h"

namespace distilserve {
namespace {

// x = scale * (value - zero)
struct RowHeader {
  float scale;
  int32_t zero;
};

// Values, then for each column its scale and the sum of its values.
int64_t panel_bytes(int64_t k) { return depth_bytes(k) * kPanel + kPanel * static_cast<int64_t>(sizeof(float) + sizeof(int32_t)); }

// value = round(w / scale), scale = largest / 127
void pack_column(const float* w, int64_t k, uint8_t* panel, int64_t j) {
  const int64_t depth = depth_bytes(k);
  int8_t* values = reinterpret_cast<int8_t*>(panel);
  float* scales = reinterpret_cast<float*>(panel + depth * kPanel);
  float largest = 0;
  for (int64_t i = 0; w != nullptr && i < k; ++i) {
    const float size = __builtin_fabsf(w[i]);
    largest = size > largest ? size : largest;
  }
  const float scale = largest > 0 ? largest / 127.0f : 1.0f;
  int32_t total = 0;
  for (int64_t i = 0; i < depth; ++i) {
    const int8_t value = w != nullptr && i < k ? static_cast<int8_t>(__builtin_rintf(w[i] / scale)) : 0;
    values[place(i, j)] = value;
    total += value;
  }
  scales[j] = scale;
  reinterpret_cast<int32_t*>(scales + kPanel)[j] = total;
}

void pack(const float* w, int64_t ldw, int64_t n, int64_t k, uint8_t* panels) {
  for_columns(w, ldw, n, panel_bytes(k), panels,
              [&](const float* column, uint8_t* panel, int64_t j) { pack_column(column, k, panel, j); });
}

// From the smallest to the largest value of the row and 0, which is exact: GELU's outputs, all but none of them below 0, get
// twice the steps that a symmetric range would leave them.
void convert_row(const float* a, int64_t k, uint8_t* out) {
  Vec low = set(0.0f), high = set(0.0f), finite = set(0.0f);
  for_vectors(k, [&](int64_t j, int lanes) {
    const Vec v = load_lanes(a + j, lanes);
    low = min(low, v);
    high = max(high, v);
    finite = fma(v, set(0.0f), finite);  // 0, or not a number where one was not finite
  });
  const float lowest = -largest(sub(set(0.0f), low)), range = largest(high) - lowest;
  const float scale = range < 1e-30f ? 1.0f : range / static_cast<float>(kLevels);
  const float inverse = 1.0f / scale;
  const float zero = __builtin_rintf(-lowest * inverse);
  const bool valid = zero >= 0.0f && zero <= static_cast<float>(kLevels);
  // What is not finite stays so: the answer must show it.
  const RowHeader header = {scale + sum(finite) + (valid ? 0.0f : __builtin_nanf("")),
                            valid ? static_cast<int32_t>(zero) : 0};
  __builtin_memcpy(out, &header, sizeof(header));
  for_vectors(k, [&](int64_t j, int lanes) {
    const Vec value = add(round(mul(load_lanes(a + j, lanes), set(inverse))), set(zero));
    store_bytes(out + kLine + j, min(max(value, set(0.0f)), set(static_cast<float>(kLevels))));
  });
}

void convert(const float* a, int64_t lda, int64_t rows, int64_t k, uint8_t* out, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) convert_row(a + row * lda, k, out + row * stride);
}

using Sums = IntSums;

inline Sums no_sums() { return Sums{}; }

template <Activation activation>
inline void finish_half(Sums sums, const RowHeader& row, const float* scales, const float* bias, float* c) {
  const Ints zeros = mul_ints(set_int(row.zero), load_ints(scales + kPanel));
  const Vec scale = mul(set(row.scale), load(scales));
  store(c, activate_fast<activation>(fma(to_floats(sub_ints(reinterpret_cast<Ints>(sums), zeros)), scale, load(bias))));
}

// One row times one panel; `columns` is what the panel keeps for each column.
template <Activation activation>
inline void finish(Sums first, Sums second, const uint8_t* row, const uint8_t* columns, const float* bias, float* c) {
  RowHeader header;
  __builtin_memcpy(&header, row, sizeof(header));
  const float* scales = reinterpret_cast<const float*>(columns);
  finish_half<activation>(first, header, scales, bias, c);
  finish_half<activation>(second, header, scales + kLanes, bias + kLanes, c + kLanes);
}

}  // namespace
}  // namespace distilserve

// The layout that all narrower dtypes share; included after vector_*.h and a constant kValueBytes.
//
// A converted row is a line of 64 bytes for what its dtype keeps beside the values, then the values, up to a multiple of 64
// bytes. A lane of a product multiplies 4 bytes of a row with 4 of a column, a group: a panel is [groups][panel][4 bytes],
// then what its dtype keeps for each column. Values beyond k are zero in the panels.
#pragma once

#include "functions.h"

namespace distilserve {
namespace {

constexpr int64_t kPanel = 2 * kLanes;
constexpr int64_t kLine = 64;
constexpr int64_t kGroupBytes = 4;
constexpr int64_t kGroupValues = kGroupBytes / kValueBytes;

// Bytes of a row's values.
inline int64_t depth_bytes(int64_t k) { return (k * kValueBytes + kLine - 1) / kLine * kLine; }
int64_t row_bytes(int64_t k) { return kLine + depth_bytes(k); }

template <Activation activation>
inline Vec activate_fast(Vec v) {
  if constexpr (activation == Activation::gelu) return fast_gelu(v);
  return activate<activation>(v);
}

// Calls each(column, to) for every column of the panels, w's or, beyond n, null; `to` are the column's first 4 bytes.
template <typename Each>
inline void for_columns(const float* w, int64_t ldw, int64_t n, int64_t panel_size, uint8_t* panels, const Each& each) {
  for (int64_t column = 0; column < n; column += kPanel, panels += panel_size) {
    for (int64_t j = 0; j < kPanel; ++j) each(column + j < n ? w + (column + j) * ldw : nullptr, panels, j);
  }
}

// Where value i of column j lies in a panel, counted in values.
inline int64_t place(int64_t i, int64_t j) {
  return (i / kGroupValues * kPanel + j) * kGroupValues + i % kGroupValues;
}

}  // namespace
}  // namespace distilserve

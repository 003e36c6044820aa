// The product of converted rows by vectors; included after the dtype's header and its dot().
#pragma once

namespace distilserve {
namespace {

// One block: `count` rows times one panel.
template <int count, Activation activation>
void block(const ConvertedGemm& g, const uint8_t* a, const uint8_t* panel, const float* bias, float* c) {
  Sums sums[count][2];
#pragma GCC unroll 16
  for (int row = 0; row < count; ++row) sums[row][0] = sums[row][1] = no_sums();
  const int64_t depth = depth_bytes(g.k);
  const uint8_t* weights = panel;
  for (int64_t byte = kLine; byte < kLine + depth; byte += kGroupBytes, weights += kPanel * kGroupBytes) {
    const Ints w0 = load_ints(weights), w1 = load_ints(weights + kLanes * kGroupBytes);
#pragma GCC unroll 16
    for (int row = 0; row < count; ++row) {
      int32_t group;
      __builtin_memcpy(&group, a + row * g.stride + byte, sizeof(group));
      const Ints x = set_int(group);
      sums[row][0] = dot(sums[row][0], x, w0);
      sums[row][1] = dot(sums[row][1], x, w1);
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < count; ++row) {
    finish<activation>(sums[row][0], sums[row][1], a + row * g.stride, weights, bias, c + row * g.ldc);
  }
}

using Block = void (*)(const ConvertedGemm&, const uint8_t*, const uint8_t*, const float*, float*);

template <Activation activation, int... counts>
struct BlockTable {
  static constexpr Block of[sizeof...(counts)] = {block<counts, activation>...};
};

template <Activation activation>
Block block_of(int64_t rows) {
  if constexpr (kBlockRows == 14) {
    return BlockTable<activation, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>::of[rows - 1];
  } else {
    return BlockTable<activation, 1, 2, 3, 4, 5>::of[rows - 1];
  }
}

Block block_for(Activation activation, int64_t rows) {
  if (activation == Activation::gelu) return block_of<Activation::gelu>(rows);
  if (activation == Activation::relu) return block_of<Activation::relu>(rows);
  return block_of<Activation::none>(rows);
}

// A panel at a time, its rows in blocks of nearly equal size: the panel stays in the cache while the rows go by.
void gemm(const ConvertedGemm& g) {
  const int64_t blocks = (g.rows + kBlockRows - 1) / kBlockRows, panel_size = panel_bytes(g.k);
  for (int64_t panel = g.first_panel; panel < g.last_panel; ++panel) {
    int64_t row = 0;
    for (int64_t left = blocks; left > 0; --left) {
      const int64_t count = (g.rows - row + left - 1) / left;
      block_for(g.activation, count)(g, g.a + row * g.stride, g.panels + panel * panel_size, g.bias + panel * kPanel,
                                     g.c + row * g.ldc + panel * kPanel);
      row += count;
    }
  }
}

}  // namespace
}  // namespace distilserve

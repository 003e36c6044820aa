// The product of converted rows by AMX tiles of 16 rows of 64 bytes: 2 tiles of rows times 2 of columns. Included after the
// dtype's header and its multiply_upper() and multiply_lower(). Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 columns; their
// numbers are part of the instructions, so nothing can be passed.
#pragma once

namespace distilserve {
namespace {

constexpr int64_t kTileRows = 16;
constexpr int64_t kBlockRows = 2 * kTileRows;

// _tile_loadconfig() tells the compiler of 8 bytes only (GCC 12): the rest must be in memory from the start.
alignas(64) const uint8_t kTileConfig[64] = {
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  // bytes of a row, for each tile
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    16, 16, 16, 16, 16, 16, 16, 16,  // rows
};

// Up to 32 rows times one panel. Rows beyond `rows` are computed from whatever lies there, and dropped.
template <Activation activation>
void block(const ConvertedGemm& g, int64_t rows, const uint8_t* a, const uint8_t* panel, const float* bias, float* c) {
  alignas(64) Sums sums[kBlockRows][2];
  const bool lower = rows > kTileRows;
  const int64_t depth = depth_bytes(g.k), line = kPanel * kGroupBytes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t byte = 0; byte < depth; byte += kLine) {
    _tile_loadd(4, a + kLine + byte, g.stride);
    _tile_loadd(6, panel + byte * kPanel, line);
    _tile_loadd(7, panel + byte * kPanel + kLine, line);
    multiply_upper();
    if (!lower) continue;
    _tile_loadd(5, a + kTileRows * g.stride + kLine + byte, g.stride);
    multiply_lower();
  }
  _tile_stored(0, &sums[0][0], line);
  _tile_stored(1, &sums[0][1], line);
  if (lower) {
    _tile_stored(2, &sums[kTileRows][0], line);
    _tile_stored(3, &sums[kTileRows][1], line);
  }
  for (int64_t row = 0; row < rows; ++row) {
    finish<activation>(sums[row][0], sums[row][1], a + row * g.stride, panel + depth * kPanel, bias, c + row * g.ldc);
  }
}

template <Activation activation>
void blocks(const ConvertedGemm& g) {
  const int64_t panel_size = panel_bytes(g.k);
  for (int64_t panel = g.first_panel; panel < g.last_panel; ++panel) {
    for (int64_t row = 0; row < g.rows; row += kBlockRows) {
      block<activation>(g, g.rows - row < kBlockRows ? g.rows - row : kBlockRows, g.a + row * g.stride,
                        g.panels + panel * panel_size, g.bias + panel * kPanel, g.c + row * g.ldc + panel * kPanel);
    }
  }
}

void gemm(const ConvertedGemm& g) {
  _tile_loadconfig(kTileConfig);
  if (g.activation == Activation::gelu) {
    blocks<Activation::gelu>(g);
  } else if (g.activation == Activation::relu) {
    blocks<Activation::relu>(g);
  } else {
    blocks<Activation::none>(g);
  }
  _tile_release();  // tiles in use make every switch of threads save 8 KiB
}

}  // namespace
}  // namespace distilserve

#if defined(__x86_64__)
#include "vector_avx2.h"

namespace distilserve {
namespace {

// vpmaddubsw adds two products in 16 bits: 2 x 127 x 127 fits, 2 x 255 x 127 would not.
constexpr int64_t kLevels = 127;
constexpr int64_t kBlockRows = 5;  // 5 x 2 sums, 2 columns' groups, 1 row's, 1 product, 1 of ones: 15 of 16 registers

// sums + x * w over the 4 values of each lane: x from 0 to 127, w from -127 to 127
inline IntSums dot(IntSums sums, Ints x, Ints w) {
  const Ints products = _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1));
  return reinterpret_cast<IntSums>(_mm256_add_epi32(reinterpret_cast<Ints>(sums), products));
}

}  // namespace
}  // namespace distilserve

#include "int8.h"
// The products are written over the dtype above.
#include "converted_blocks.h"

namespace distilserve {

const LinearKernels kInt8Avx2Kernels = {"avx2", kPanel, kBlockRows, kLevels, row_bytes, panel_bytes, pack, convert, gemm};

}  // namespace distilserve
#endif

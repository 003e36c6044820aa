#if defined(__x86_64__)
#include "vector_avx512.h"

namespace distilserve {
namespace {

constexpr int64_t kLevels = 255;
constexpr int64_t kBlockRows = 14;  // 14 x 2 sums, 2 columns' groups, 1 row's: 31 of 32 registers

// sums + x * w over the 4 values of each lane: x from 0 to 255, w from -127 to 127
inline IntSums dot(IntSums sums, Ints x, Ints w) {
  return reinterpret_cast<IntSums>(_mm512_dpbusd_epi32(reinterpret_cast<Ints>(sums), x, w));
}

}  // namespace
}  // namespace distilserve

#include "int8.h"
// The products are written over the dtype above.
#include "converted_blocks.h"

namespace distilserve {

const LinearKernels kInt8Avx512VnniKernels = {"avx512vnni", kPanel, kBlockRows, kLevels, row_bytes,
                                              panel_bytes,  pack,   convert,    gemm};

}  // namespace distilserve
#endif

#include "kernels.h"

#if defined(__AVXVNNI__)
#include "vector_avx2.h"

namespace distilserve {
namespace {

constexpr int64_t kLevels = 255;
constexpr int64_t kBlockRows = 5;  // the product and the ones of AVX2 are not needed, but a sixth row gains nothing

// sums + x * w over the 4 values of each lane: x from 0 to 255, w from -127 to 127
inline IntSums dot(IntSums sums, Ints x, Ints w) {
  return reinterpret_cast<IntSums>(_mm256_dpbusd_avx_epi32(reinterpret_cast<Ints>(sums), x, w));
}

}  // namespace
}  // namespace distilserve

#include "int8.h"
// The products are written over the dtype above.
#include "converted_blocks.h"

namespace distilserve {

const LinearKernels kInt8AvxVnniKernels = {"avxvnni", kPanel,      kBlockRows, kLevels, row_bytes,
                                           panel_bytes, pack, convert,    gemm};

}  // namespace distilserve
#elif defined(__x86_64__)
namespace distilserve {

const LinearKernels kInt8AvxVnniKernels = {"avxvnni"};

}  // namespace distilserve
#endif

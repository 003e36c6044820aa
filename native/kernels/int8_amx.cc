#include "kernels.h"

#if defined(__AMX_INT8__)
#include "vector_avx512.h"

namespace distilserve {
namespace {

constexpr int64_t kLevels = 255;

inline void multiply_upper() {
  _tile_dpbusd(0, 4, 6);
  _tile_dpbusd(1, 4, 7);
}
inline void multiply_lower() {
  _tile_dpbusd(2, 5, 6);
  _tile_dpbusd(3, 5, 7);
}

}  // namespace
}  // namespace distilserve

#include "int8.h"
// The products are written over the dtype above.
#include "converted_tiles.h"

namespace distilserve {

const LinearKernels kInt8AmxKernels = {"amx", kPanel, kBlockRows, kLevels, row_bytes, panel_bytes, pack, convert, gemm};

}  // namespace distilserve
#elif defined(__x86_64__)
namespace distilserve {

const LinearKernels kInt8AmxKernels = {"amx"};

}  // namespace distilserve
#endif

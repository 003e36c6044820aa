// Vectors of 16 floats to bfloat16, for the files compiled with AVX512-BF16; included after vector_avx512.h.
#pragma once

namespace distilserve {
namespace {

// Rounded to nearest even.
inline void store_bfloat16(uint16_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
}

}  // namespace
}  // namespace distilserve

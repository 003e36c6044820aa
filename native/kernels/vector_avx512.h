// Vectors of 16 floats, for the files compiled with AVX-512.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace distilserve {
namespace {

using Vec = __m512;
using Ints = __m512i;
// Sums as 32-bit lanes: GCC 12 keeps an array of __m512i in memory where they are written as such.
using IntSums = int32_t __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr int kRowBlock = 14;  // 14 x 2 sums, 2 columns' vectors: 30 of 32 registers

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec load_first(const float* p, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
inline void store_first(float* p, Vec v, int count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
}
inline Vec set(float x) { return _mm512_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec sqrt(Vec a) { return _mm512_sqrt_ps(a); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec round(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Vec times_two_to(Vec a, Vec power) { return _mm512_scalef_ps(a, power); }
inline Vec abs(Vec a) { return _mm512_abs_ps(a); }
inline Vec with_sign_of(Vec magnitude, Vec sign) {
  const __m512i bit = _mm512_set1_epi32(INT32_MIN);
  return _mm512_castsi512_ps(
      _mm512_or_si512(_mm512_and_si512(_mm512_castps_si512(sign), bit), _mm512_castps_si512(magnitude)));
}


inline Ints load_ints(const void* p) { return _mm512_loadu_si512(p); }
inline Ints set_int(int32_t x) { return _mm512_set1_epi32(x); }
inline Ints sub_ints(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
inline Ints mul_ints(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
inline Vec to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
// Whole numbers from 0 to 255.
inline void store_bytes(uint8_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

}  // namespace
}  // namespace distilserve

// Vectors of 8 floats, for the files compiled with AVX2 and FMA.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace distilserve {
namespace {

using Vec = __m256;
using Ints = __m256i;
// Sums as 32-bit lanes: GCC 12 keeps an array of __m256i in memory where they are written as such.
using IntSums = int32_t __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr int kRowBlock = 6;  // 6 x 2 sums, 2 columns' vectors, 1 row's value: 15 of 16 registers

inline __m256i first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec load_first(const float* p, int count) { return _mm256_maskload_ps(p, first(count)); }
inline void store_first(float* p, Vec v, int count) { _mm256_maskstore_ps(p, first(count), v); }
inline Vec set(float x) { return _mm256_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec sqrt(Vec a) { return _mm256_sqrt_ps(a); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec round(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// For whole powers from -126 to 127.
inline Vec times_two_to(Vec a, Vec power) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(127));
  return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
inline Vec abs(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline Vec with_sign_of(Vec magnitude, Vec sign) {
  return _mm256_or_ps(_mm256_and_ps(sign, _mm256_set1_ps(-0.0f)), magnitude);
}


inline Ints load_ints(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline Ints set_int(int32_t x) { return _mm256_set1_epi32(x); }
inline Ints sub_ints(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
inline Ints mul_ints(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
inline Vec to_floats(Ints a) { return _mm256_cvtepi32_ps(a); }
// Whole numbers from 0 to 255.
inline void store_bytes(uint8_t* p, Vec v) {
  const __m256i ints = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}

}  // namespace
}  // namespace distilserve

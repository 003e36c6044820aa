// exp, erf-GELU, activations and sums over vectors; included after one of vector_*.h.
#pragma once

#include "kernels.h"

namespace distilserve {
namespace {

// exp(x) for x <= 88: x = n ln 2 + r, a polynomial for exp(r), |r| <= ln 2 / 2 (Taylor to r^7, relative error 1e-8), times
// 2^n. Below -87 it is 2^-126, which is as good as 0 to a softmax and to erf.
inline Vec exp(Vec x) {
  x = max(x, set(-87.0f));
  const Vec n = round(mul(x, set(1.44269504f)));
  Vec r = fma(n, set(-0.693359375f), x);       // ln 2 in two parts, so that r keeps its bits
  r = fma(n, set(2.12194440e-4f), r);
  Vec p = fma(set(1.98412698e-4f), r, set(1.38888889e-3f));
  p = fma(p, r, set(8.33333333e-3f));
  p = fma(p, r, set(4.16666667e-2f));
  p = fma(p, r, set(1.66666667e-1f));
  p = fma(p, r, set(0.5f));
  p = fma(p, r, set(1.0f));
  p = fma(p, r, set(1.0f));
  return times_two_to(p, n);
}

// (1 + erf(x / sqrt 2)) / 2, erf by Abramowitz & Stegun 7.1.26 (absolute error 1.5e-7).
inline Vec normal_distribution(Vec x) {
  const Vec z = mul(abs(x), set(0.70710678f));
  const Vec t = div(set(1.0f), fma(z, set(0.3275911f), set(1.0f)));
  Vec p = fma(set(1.061405429f), t, set(-1.453152027f));
  p = fma(p, t, set(1.421413741f));
  p = fma(p, t, set(-0.284496736f));
  p = fma(p, t, set(0.254829592f));
  const Vec erf = with_sign_of(sub(set(1.0f), mul(mul(p, t), exp(sub(set(0.0f), mul(z, z))))), x);
  return fma(erf, set(0.5f), set(0.5f));
}

constexpr float kPhi[13] = {0.141363818f,   -0.0702959089f, 0.0515179297f,   -0.0404512824f,  0.0314767586f,
                            -0.0232131283f, 0.0162360898f,  -0.0113071249f,  0.0067665275f,   -0.00252691673f,
                            0.00137459615f, -0.00167673098f, 0.000735376389f};

// gelu(x) = x Phi(x) without a division or an exp, in a fifth of the time: the products of narrower dtypes are done before
// it. Phi(x) = 1/2 + x P(x^2) up to |x| = 5, where 3e-7 is left, and constant beyond; P is the Chebyshev expansion of degree
// 12 over 2 x^2 / 25 - 1. Absolute error 2e-6 up to there, 3e-7 |x| beyond.
inline Vec fast_gelu(Vec x) {
  const Vec near = min(max(x, set(-5.0f)), set(5.0f));
  const Vec t = fma(mul(near, near), set(0.08f), set(-1.0f));
  Vec p = set(kPhi[12]);
#pragma GCC unroll 12
  for (int i = 11; i >= 0; --i) p = fma(p, t, set(kPhi[i]));
  return mul(x, fma(near, p, set(0.5f)));
}

inline Vec gelu(Vec x) { return mul(x, normal_distribution(x)); }

template <Activation activation>
inline Vec activate(Vec v) {
  if constexpr (activation == Activation::gelu) return gelu(v);
  // In this order: of a number and none, x86's maximum is the second.
  if constexpr (activation == Activation::relu) return max(set(0.0f), v);
  return v;
}

inline float sum(Vec v) {
  float lane[kLanes];
  store(lane, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

inline float largest(Vec v) {
  float lane[kLanes];
  store(lane, v);
  float best = lane[0];
  for (int i = 1; i < kLanes; ++i) best = lane[i] > best ? lane[i] : best;
  return best;
}

// Calls each(column, lanes) for all vectors of a row, the last one with fewer lanes.
template <typename Each>
inline void for_vectors(int64_t columns, Each each) {
  int64_t column = 0;
  for (; column + kLanes <= columns; column += kLanes) each(column, kLanes);
  if (column < columns) each(column, static_cast<int>(columns - column));
}

inline Vec load_lanes(const float* p, int lanes) { return lanes == kLanes ? load(p) : load_first(p, lanes); }
inline void store_lanes(float* p, Vec v, int lanes) {
  if (lanes == kLanes) return store(p, v);
  store_first(p, v, lanes);
}

}  // namespace
}  // namespace distilserve

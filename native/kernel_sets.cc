#include "kernel_sets.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>

#include "error.h"
#include "torch_api.h"

namespace distilserve {
namespace {

constexpr double kTolerance = 2e-6;

bool cpu_has(const std::string& name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return false;
}

// Not the default generator: a check must not move the random numbers of a training.
at::Tensor random(at::IntArrayRef sizes) {
  static at::Generator generator = at::detail::createCPUGenerator(/*seed=*/1);
  return at::randn(sizes, generator);
}

double norm_difference(const KernelSet& set, int64_t dim) {
  const at::Tensor x = random({5, dim}), other = random({5, dim}), gamma = random({dim}), beta = random({dim});
  at::Tensor out = at::empty({5, dim});
  set.layer_norm(x.data_ptr<float>(), dim, other.data_ptr<float>(), dim, 5, dim, gamma.data_ptr<float>(),
                 beta.data_ptr<float>(), 1e-12f, out.data_ptr<float>(), dim);
  const at::Tensor expected = at::layer_norm((x + other).to(at::kDouble), {dim}, gamma.to(at::kDouble),
                                             beta.to(at::kDouble), 1e-12);
  return (out - expected).abs().max().item<double>() / 10;  // values reach 10
}

double softmax_difference(const KernelSet& set, int64_t columns) {
  const int64_t padded = (columns + set.panel - 1) / set.panel * set.panel;
  at::Tensor s = random({3, padded}) * 10;
  const at::Tensor expected = at::softmax(s.narrow(1, 0, columns).to(at::kDouble) * 0.3, 1);
  set.softmax(s.data_ptr<float>(), padded, 3, columns, 0.3f);
  const double rest = padded > columns ? s.narrow(1, columns, padded - columns).abs().max().item<double>() : 0;
  return std::max(rest, (s.narrow(1, 0, columns) - expected).abs().max().item<double>());
}

// Reasons to leave a set out; empty when it agrees with ATen.
std::string disagreement(const KernelSet& set) {
  const c10::InferenceMode inference_mode;
  double worst = 0;
  for (const int64_t rows : {int64_t{1}, set.row_block, 3 * set.row_block + 1}) {
    for (const Activation activation : {Activation::none, Activation::gelu, Activation::relu}) {
      worst = std::max(worst, gemm_difference(set, rows, set.panel + 3, 100, activation));
    }
  }
  worst = std::max(worst, gemm_difference(set, 2, 5, 800, Activation::none));
  for (const int64_t size : {1, 7, 33, 384}) {
    worst = std::max({worst, norm_difference(set, size == 1 ? 64 : size), softmax_difference(set, size)});
  }
  if (worst <= kTolerance) return "";
  std::ostringstream text;
  text << "differs from ATen by " << worst << " on this CPU";
  return text.str();
}

std::vector<KernelChoice> find_kernels() {
  std::vector<KernelChoice> choices;
#if defined(__x86_64__)
  for (const KernelSet* set : {&kAvx512Kernels, &kAvx2Kernels}) {
    choices.push_back({set->name, set, cpu_has(set->name) ? disagreement(*set) : "this CPU does not have it"});
  }
#endif
  choices.push_back({"aten", nullptr, ""});
  return choices;
}

}  // namespace

double gemm_difference(const KernelSet& set, int64_t rows, int64_t n, int64_t k, Activation activation) {
  const c10::InferenceMode inference_mode;
  const int64_t panels = (n + set.panel - 1) / set.panel, width = panels * set.panel;
  const at::Tensor a = random({rows, k}), w = random({n, k});
  at::Tensor bias = at::zeros({width}), packed = at::empty({panels * k * set.panel}), c = at::empty({rows, width});
  bias.narrow(0, 0, n).copy_(random({n}));
  set.pack(w.data_ptr<float>(), k, n, k, packed.data_ptr<float>());
  set.gemm({a.data_ptr<float>(), k, rows, k, packed.data_ptr<float>(), 0, panels, bias.data_ptr<float>(),
            c.data_ptr<float>(), width, activation});
  const at::Tensor wide_a = a.to(at::kDouble), wide_w = w.to(at::kDouble);
  at::Tensor expected = at::linear(wide_a, wide_w, bias.narrow(0, 0, n).to(at::kDouble));
  if (activation == Activation::gelu) expected = at::gelu(expected);
  if (activation == Activation::relu) expected = at::relu(expected);
  const at::Tensor magnitude = at::linear(wide_a.abs(), wide_w.abs()) + 1;
  return ((c.narrow(1, 0, n) - expected).abs() / magnitude).max().item<double>();
}

const std::vector<KernelChoice>& kernel_choices() {
  static const std::vector<KernelChoice> choices = find_kernels();
  return choices;
}

const KernelChoice& choose_kernels(const std::string& name) {
  std::string usable;
  for (const KernelChoice& choice : kernel_choices()) {
    if (!choice.why_not.empty()) continue;
    if (name == "auto" || name == choice.name) return choice;
    usable += (usable.empty() ? "" : ", ") + choice.name;
  }
  fail("invalid_argument", "Expected kernels 'auto' or one of ", usable, " but received '", name, "'");
}

}  // namespace distilserve

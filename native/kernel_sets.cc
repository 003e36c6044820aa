#include "kernel_sets.h"

#include "cpu_features.h"
#include "error.h"
#include "kernel_checks.h"

namespace distilserve {
namespace {

// Kernels of a narrower dtype, and what computes everything beside the linear layers.
struct Narrower {
  const char* feature;
  const LinearKernels* linear;
  const KernelSet* set;
};

std::string why_not(const Narrower& candidate, at::ScalarType dtype) {
  if (!cpu_has(candidate.feature)) return "this CPU does not have it";
  if (candidate.linear->gemm == nullptr) return "the compiler of this build does not know it";
  for (const KernelChoice& choice : kernel_choices(at::kFloat)) {
    if (choice.set == candidate.set && !choice.why_not.empty()) return choice.name + " " + choice.why_not;
  }
  return disagreement(*candidate.linear, dtype);
}

std::vector<KernelChoice> find_float32() {
  std::vector<KernelChoice> choices;
#if defined(__x86_64__)
  for (const KernelSet* set : {&kAvx512Kernels, &kAvx2Kernels}) {
    choices.push_back({set->name, set, cpu_has(set->name) ? disagreement(*set) : "this CPU does not have it"});
  }
#endif
  choices.push_back({"aten", nullptr, ""});
  return choices;
}

std::vector<KernelChoice> find_narrower(const std::vector<Narrower>& candidates, at::ScalarType dtype) {
  std::vector<KernelChoice> choices;
  for (const Narrower& candidate : candidates) {
    choices.push_back({candidate.linear->name, candidate.set, why_not(candidate, dtype), dtype, candidate.linear});
  }
  return choices;
}

std::vector<KernelChoice> find_int8() {
#if defined(__x86_64__)
  return find_narrower({{"amx_int8", &kInt8AmxKernels, &kAvx512Kernels},
                        {"avx512vnni", &kInt8Avx512VnniKernels, &kAvx512Kernels},
                        {"avxvnni", &kInt8AvxVnniKernels, &kAvx2Kernels},
                        {"avx2", &kInt8Avx2Kernels, &kAvx2Kernels}},
                       at::kChar);
#else
  return {};
#endif
}

std::vector<KernelChoice> find_bfloat16() {
#if defined(__x86_64__)
  return find_narrower({{"amx_bf16", &kBfloat16AmxKernels, &kAvx512Kernels},
                        {"avx512bf16", &kBfloat16Avx512Kernels, &kAvx512Kernels}},
                       at::kBFloat16);
#else
  return {};
#endif
}

}  // namespace

const std::vector<KernelChoice>& kernel_choices(at::ScalarType dtype) {
  static const std::vector<KernelChoice> float32 = find_float32();
  if (dtype == at::kChar) {
    static const std::vector<KernelChoice> int8 = find_int8();  // asks for those of float32
    return int8;
  }
  if (dtype == at::kBFloat16) {
    static const std::vector<KernelChoice> bfloat16 = find_bfloat16();
    return bfloat16;
  }
  return float32;
}

const KernelChoice& choose_kernels(const std::string& name, at::ScalarType dtype) {
  std::string usable;
  for (const KernelChoice& choice : kernel_choices(dtype)) {
    if (!choice.why_not.empty()) continue;
    if (name == "auto" || name == choice.name) return choice;
    usable += (usable.empty() ? "" : ", ") + choice.name;
  }
  fail("invalid_argument", "Expected kernels 'auto' or one of ", usable, " but received '", name, "'");
}

std::string why_no_kernels(at::ScalarType dtype) {
  std::string reasons;
  for (const KernelChoice& choice : kernel_choices(dtype)) {
    if (choice.why_not.empty()) return "";
    reasons += (reasons.empty() ? "" : "; ") + choice.name + ": " + choice.why_not;
  }
  return reasons.empty() ? "there are no kernels for CPUs of this make" : reasons;
}

}  // namespace distilserve

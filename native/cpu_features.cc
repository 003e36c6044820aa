#include "cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace distilserve {
#if defined(__x86_64__)
namespace {

// Leaf 7 of CPUID; compilers know the newest features by different names, or not at all.
struct Leaf7 {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

bool has_bit(unsigned bits, int bit) { return (bits >> bit & 1) != 0; }

Leaf7 leaf7(unsigned subleaf) {
  Leaf7 leaf;
  if (__get_cpuid_count(7, subleaf, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx) == 0) return {};
  return leaf;
}

// Linux saves a thread's tiles only for processes that asked for them (arch/x86/include/uapi/asm/prctl.h).
bool tiles_allowed() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool allowed = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

}  // namespace

bool cpu_has(const std::string& feature) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (feature == "avx2") return avx2;
  if (feature == "avx512") return avx512;
  const Leaf7 first = leaf7(0), second = leaf7(1);
  if (feature == "avxvnni") return avx2 && has_bit(second.eax, 4);
  if (feature == "avx512vnni") return avx512 && has_bit(first.ecx, 11);
  if (feature == "avx512bf16") return avx512 && has_bit(second.eax, 5);
  const bool tiles = avx512 && has_bit(first.edx, 24);
  if (feature == "amx_int8") return tiles && has_bit(first.edx, 25) && tiles_allowed();
  if (feature == "amx_bf16") return tiles && has_bit(first.edx, 22) && has_bit(second.eax, 5) && tiles_allowed();
  return false;
}
#else
bool cpu_has(const std::string& feature) { return false; }
#endif

}  // namespace distilserve

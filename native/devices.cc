#include "devices.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

#include <fstream>

#include "error.h"

namespace distilserve {
namespace {

// The addon links only the CPU library, so that one binary runs everywhere. Opening libtorch_cuda registers the real
// CUDA hooks, but only before they are first asked for; the stub stays for the life of the process otherwise.
bool open_cuda() {
  static const bool opened = [] {
    void* handle = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
    return handle != nullptr && at::hasCUDA();
  }();
  return opened;
}

int cuda_device_count() {
  return open_cuda() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "CPU";
}

// bfloat16 without hardware support is emulated, slower than float32 by an order of magnitude; it is not offered then.
bool cpu_has_bfloat16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

at::ScalarType scalar_type(const std::string& dtype) {
  if (dtype == "float32") return at::kFloat;
  if (dtype == "bfloat16") return at::kBFloat16;
  if (dtype == "float16") return at::kHalf;
  fail("invalid_argument", "Expected dtype 'float32', 'bfloat16' or 'float16' but received '", dtype, "'");
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<std::string> cpu_dtypes = {"float32"};
  if (cpu_has_bfloat16()) cpu_dtypes.emplace_back("bfloat16");
  std::vector<DeviceInfo> devices = {{"cpu", cpu_name(), cpu_dtypes}};
  for (int index = 0; index < cuda_device_count(); ++index) {
    const std::string device = "cuda:" + std::to_string(index);
    devices.push_back({device, device, {"float32", "bfloat16", "float16"}});
  }
  return devices;
}

Placement parse_placement(const std::string& device, const std::string& dtype) {
  const at::ScalarType type = scalar_type(dtype);
  const std::vector<DeviceInfo> devices = list_devices();
  std::vector<std::string> names;
  for (const auto& candidate : devices) {
    names.push_back(candidate.device);
    if (candidate.device != device) continue;
    for (const auto& offered : candidate.dtypes) {
      if (offered == dtype) return {at::Device(device), type};
    }
    fail("dtype_unavailable", "Expected a dtype that ", device, " computes in (", join(candidate.dtypes),
         ") but received '", dtype, "'");
  }
  fail("device_unavailable", "Expected a device of this machine (", join(names), ") but received '", device, "'");
}

void check_threads(int64_t threads) {
  if (threads < 1 || threads > 1024) {
    fail("invalid_argument", "Expected threads from 1 to 1024 but received ", threads);
  }
}

void set_threads(int64_t threads) {
  check_threads(threads);
  if (at::get_num_threads() != threads) at::set_num_threads(static_cast<int>(threads));
}

}  // namespace distilserve

#include "devices.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

#include <fstream>

#include "error.h"
#include "kernel_sets.h"

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

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

struct NamedDtype {
  const char* name;
  at::ScalarType type;
};
constexpr NamedDtype kDtypes[] = {
    {"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}, {"int8", at::kChar}};

// A narrower dtype without instructions for it would be slower than float32; it is not offered then.
constexpr at::ScalarType kNarrowerOnCpu[] = {at::kBFloat16, at::kChar};

std::string why_not_on_cpu(at::ScalarType dtype) {
  for (const at::ScalarType narrower : kNarrowerOnCpu) {
    if (dtype == narrower) return " (" + why_no_kernels(dtype) + ")";
  }
  return "";
}

}  // namespace

at::ScalarType parse_dtype(const std::string& name) {
  for (const NamedDtype& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  fail("invalid_argument", "Expected dtype 'float32', 'bfloat16', 'float16' or 'int8' but received '", name, "'");
}

const char* dtype_name(at::ScalarType type) {
  for (const NamedDtype& dtype : kDtypes) {
    if (type == dtype.type) return dtype.name;
  }
  return at::toString(type);
}

std::vector<DeviceInfo> list_devices() {
  std::vector<std::string> cpu_dtypes = {"float32"};
  for (const at::ScalarType dtype : kNarrowerOnCpu) {
    if (why_no_kernels(dtype).empty()) cpu_dtypes.emplace_back(dtype_name(dtype));
  }
  std::vector<DeviceInfo> devices = {{"cpu", cpu_name(), cpu_dtypes}};
  for (int index = 0; index < cuda_device_count(); ++index) {
    const std::string device = "cuda:" + std::to_string(index);
    devices.push_back({device, device, {"float32", "bfloat16", "float16"}});
  }
  return devices;
}

Placement parse_placement(const std::string& device, const std::string& dtype) {
  const at::ScalarType type = parse_dtype(dtype);
  const std::vector<DeviceInfo> devices = list_devices();
  std::vector<std::string> names;
  for (const auto& candidate : devices) {
    names.push_back(candidate.device);
    if (candidate.device != device) continue;
    for (const auto& offered : candidate.dtypes) {
      if (offered == dtype) return {at::Device(device), type};
    }
    fail("dtype_unavailable", "Expected a dtype that ", device, " computes in (", join(candidate.dtypes),
         ") but received '", dtype, "'", device == "cpu" ? why_not_on_cpu(type) : "");
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

// Which devices and dtypes this machine has, and the placement every entry asks for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torch_api.h"

namespace distilserve {

// int8 is at::kChar: its linear layers multiply integers, the rest is float32.
struct Placement {
  at::Device device;
  at::ScalarType dtype;
};

struct DeviceInfo {
  std::string device;  // "cpu" or "cuda:N"
  std::string name;
  std::vector<std::string> dtypes;
};

std::vector<DeviceInfo> list_devices();

// "float32" and so on. Throws invalid_argument for what is no dtype.
at::ScalarType parse_dtype(const std::string& name);
const char* dtype_name(at::ScalarType dtype);

// Throws device_unavailable or dtype_unavailable naming what there is.
Placement parse_placement(const std::string& device, const std::string& dtype);

// Throws invalid_argument unless it is a sensible number of threads.
void check_threads(int64_t threads);

// Torch's thread count belongs to the calling thread; sets it for the forwards that follow on this thread.
void set_threads(int64_t threads);

}  // namespace distilserve

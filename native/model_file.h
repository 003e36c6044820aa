// Writing TorchScript to disk.
#pragma once

#include <string>

#include "torch_api.h"

namespace distilserve {

// Writes the module as a .pt file, which torch.jit.load opens. Throws storage_failed naming the path and the system's
// reason; the half-written file is the caller's to remove.
void write_module(const torch::jit::Module& module, const std::string& path);

}  // namespace distilserve

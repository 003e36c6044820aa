// Calls a method of a portable TorchScript model: our own, or one traced from Hugging Face's.
#pragma once

#include "padded.h"
#include "torch_api.h"

namespace distilserve {

// method(input_ids, attention_mask) as float32 on the CPU, [rows, width]. Throws model_invalid when it returns anything
// else.
at::Tensor call_module(const torch::jit::Module& module, const char* method, const PaddedGroup& group);

}  // namespace distilserve

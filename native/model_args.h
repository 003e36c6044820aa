// Readers of the structured arguments that ScriptModule, Trainer and writeModel share.
#pragma once

#include <vector>

#include "architecture.h"
#include "napi_util.h"
#include "ragged.h"
#include "weights.h"

namespace distilserve {

Architecture read_architecture(const Napi::Value& value);
std::vector<TensorSource> read_weights(const Napi::Value& value);
// ids: Int32Array [tokens]; offsets: Int32Array [rows + 1]. Points into the arrays' memory.
RaggedIds read_ragged(const Napi::Value& ids, const Napi::Value& offsets);
// A number of threads for a forward.
int64_t read_threads(const Napi::Value& value);
// A tensor of any shape as a flat Float32Array.
Napi::Value make_floats(Napi::Env env, const at::Tensor& tensor);

}  // namespace distilserve

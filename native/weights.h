// Fills a module's parameters from safetensors files (format: 8-byte little-endian header length, JSON header, data).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torch_api.h"

namespace distilserve {

// One tensor of a safetensors file. The header is parsed in TypeScript; offsets are checked here against the file.
struct TensorSource {
  std::string name;  // the parameter it fills, or kTokenType
  std::string file;
  std::string dtype;  // safetensors' word: F32, F16, BF16, F64
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // bytes from the start of the file
  uint64_t end = 0;
};

// BERT's token type embeddings [types, dim]; row 0 is added to every position embedding, which is exact for inputs
// whose token types are all 0.
inline constexpr const char* kTokenType = "token_type_embeddings";

// Copies the sources into the parameters of the same name. Parameters of the classification head without a source are
// drawn from normal(0, 0.02) (bias 0), Hugging Face's initialisation, by the given seed.
// Throws model_invalid naming the tensor that is missing, unknown, misshapen or not finite.
void load_weights(torch::jit::Module& module, const std::vector<TensorSource>& sources, uint64_t seed);

}  // namespace distilserve

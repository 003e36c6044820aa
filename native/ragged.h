// A batch as it crosses from JavaScript: all token ids one after another, and where each row begins.
#pragma once

#include <cstdint>

namespace distilserve {

struct RaggedIds {
  const int32_t* ids = nullptr;      // [tokens]
  const int32_t* offsets = nullptr;  // [rows + 1], offsets[0] = 0, offsets[rows] = tokens
  int64_t tokens = 0;
  int64_t rows = 0;

  int64_t length(int64_t row) const { return int64_t{offsets[row + 1]} - offsets[row]; }
};

// What a model accepts; -1 where it does not say.
struct IdLimits {
  int64_t vocab_size = -1;
  int64_t max_length = -1;
};

// Throws invalid_argument unless the offsets rise from 0 to the number of ids, no row is empty or longer than
// max_length, and every id is inside the vocabulary. On CUDA a wrong id would poison the process.
void check_ragged(const RaggedIds& batch, const IdLimits& limits);

}  // namespace distilserve

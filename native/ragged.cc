#include "ragged.h"

#include "error.h"

namespace distilserve {

void check_ragged(const RaggedIds& batch, const IdLimits& limits) {
  if (batch.rows < 1) fail("invalid_argument", "Expected at least one row of token ids but received none");
  if (batch.offsets[0] != 0 || batch.offsets[batch.rows] != batch.tokens) {
    fail("invalid_argument", "Expected offsets from 0 to ", batch.tokens, " (the number of ids) but received ",
         batch.offsets[0], " to ", batch.offsets[batch.rows]);
  }
  for (int64_t row = 0; row < batch.rows; ++row) {
    const int64_t length = batch.length(row);
    if (length < 1 || batch.offsets[row + 1] > batch.tokens) {
      fail("invalid_argument", "Expected rising offsets but row ", row, " runs from ", batch.offsets[row], " to ",
           batch.offsets[row + 1]);
    }
    if (limits.max_length >= 0 && length > limits.max_length) {
      fail("invalid_argument", "Expected at most ", limits.max_length, " tokens a row (the position embeddings) but row ",
           row, " has ", length, "; truncate when tokenizing");
    }
  }
  for (int64_t index = 0; index < batch.tokens; ++index) {
    const int64_t id = batch.ids[index];
    if (id < 0) fail("invalid_argument", "Expected token ids of 0 or more but received ", id, " at index ", index);
    if (limits.vocab_size >= 0 && id >= limits.vocab_size) {
      fail("invalid_argument", "Expected token ids from 0 to ", limits.vocab_size - 1, " but received ", id, " at index ",
           index, "; the tokenizer does not belong to this model");
    }
  }
}

}  // namespace distilserve

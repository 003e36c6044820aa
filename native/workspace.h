// The memory of a forward's intermediate results: one growing buffer for each purpose and thread, used again and again.
#pragma once

#include "torch_api.h"

namespace distilserve {

// state_a and state_b take turns, and hidden_a and hidden_b: an operator reads one while it writes the other.
enum class Slot { state_a, state_b, hidden_a, hidden_b, sum, projected, queries, first, context, converted, count };

// [rows, columns] float32 in the calling thread's buffer for `slot`, contents undefined. Rows lie apart by a stride that
// is no multiple of 4 KiB, so that the rows of a block do not fight for the same lines of the first-level cache.
at::Tensor workspace(Slot slot, int64_t rows, int64_t columns);

// Of two slots the one that `taken` does not lie in; the first where it lies in neither.
Slot other_slot(const at::Tensor& taken, Slot first, Slot second);

}  // namespace distilserve

#include "workspace.h"

#include <algorithm>
#include <array>

namespace distilserve {
namespace {

constexpr int64_t kLine = 16;  // floats

thread_local std::array<at::Tensor, static_cast<size_t>(Slot::count)> buffers;

at::Tensor& buffer_of(Slot slot) { return buffers[static_cast<size_t>(slot)]; }

}  // namespace

at::Tensor workspace(Slot slot, int64_t rows, int64_t columns) {
  const int64_t lines = (columns + kLine - 1) / kLine;
  const int64_t stride = (lines | 1) * kLine;
  at::Tensor& buffer = buffer_of(slot);
  const int64_t wanted = rows * stride;
  if (!buffer.defined() || buffer.numel() < wanted) {
    const int64_t had = buffer.defined() ? buffer.numel() : 0;
    buffer.reset();  // before the new one is made
    buffer = at::empty({std::max(wanted, had + had / 2)}, at::kFloat);
  }
  return buffer.as_strided({rows, columns}, {stride, 1});
}

Slot other_slot(const at::Tensor& taken, Slot first, Slot second) {
  const at::Tensor& buffer = buffer_of(first);
  return buffer.defined() && buffer.const_data_ptr() == taken.const_data_ptr() ? second : first;
}

}  // namespace distilserve

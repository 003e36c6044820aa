#include "vocab_trie.h"

#include <algorithm>
#include <utility>

namespace distilserve {
namespace {

constexpr int32_t kBytes = 256;
// Where this many places do not hold all children of a node they go to the end: some slots for much less time.
constexpr int kTries = 64;

}  // namespace

VocabTrie::VocabTrie(std::vector<VocabEntry> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const VocabEntry& a, const VocabEntry& b) { return a.text < b.text; });
  grow(kBytes);
  next_free_[kRoot] = kRoot + 1;
  std::vector<Range> todo;
  todo.push_back({kRoot, 0, entries.size(), 0});
  while (!todo.empty()) {
    const Range range = todo.back();
    todo.pop_back();
    add_children(entries, range, todo);
  }
  // A lookup may reach for any byte of the last base.
  int32_t end = 0;
  for (const Slot& slot : slots_) end = std::max(end, slot.base + kBytes);
  slots_.resize(end);
  slots_.shrink_to_fit();
  std::vector<int32_t>().swap(next_free_);
}

VocabTrie::Node VocabTrie::walk(std::string_view text) const {
  Node node = kRoot;
  for (const char byte : text) {
    node = child(node, static_cast<uint8_t>(byte));
    if (node == kNone) break;
  }
  return node;
}

void VocabTrie::add_children(const std::vector<VocabEntry>& entries, const Range& range, std::vector<Range>& todo) {
  size_t first = range.first;
  // Sorted, the entry that ends here comes before those that go on.
  if (first < range.last && entries[first].text.size() == range.depth) slots_[range.node].id = entries[first++].id;
  if (first == range.last) return;
  std::vector<uint8_t> bytes;
  std::vector<size_t> starts;
  for (size_t entry = first; entry < range.last; ++entry) {
    const auto byte = static_cast<uint8_t>(entries[entry].text[range.depth]);
    if (!bytes.empty() && bytes.back() == byte) continue;
    bytes.push_back(byte);
    starts.push_back(entry);
  }
  starts.push_back(range.last);
  const int32_t base = find_base(bytes);
  slots_[range.node].base = base;
  for (size_t index = 0; index < bytes.size(); ++index) {
    const Node node = base + bytes[index];
    slots_[node].parent = range.node;
    next_free_[node] = node + 1;
    todo.push_back({node, starts[index], starts[index + 1], range.depth + 1});
  }
}

int32_t VocabTrie::find_base(const std::vector<uint8_t>& bytes) {
  int32_t slot = next_free(bytes.front() + 1);
  for (int tries = 0; tries < kTries; ++tries, slot = next_free(slot + 1)) {
    const int32_t base = slot - bytes.front();
    grow(base + kBytes);
    const auto fits = [&](uint8_t byte) { return is_free(base + byte); };
    if (std::all_of(bytes.begin(), bytes.end(), fits)) return base;
  }
  const auto base = static_cast<int32_t>(slots_.size());
  grow(base + kBytes);
  return base;
}

int32_t VocabTrie::next_free(int32_t slot) {
  int32_t found = slot;
  for (grow(found + 1); !is_free(found); grow(found + 1)) found = next_free_[found];
  // What was passed is shortened, or filled stretches would be walked again and again.
  while (slot != found) slot = std::exchange(next_free_[slot], found);
  return found;
}

void VocabTrie::grow(int32_t size) {
  const auto old = static_cast<int32_t>(slots_.size());
  if (size <= old) return;
  slots_.resize(size);
  next_free_.resize(size);
  for (int32_t slot = old; slot < size; ++slot) next_free_[slot] = slot;
}

}  // namespace distilserve

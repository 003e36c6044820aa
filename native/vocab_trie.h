// A vocabulary in which the longest entry that a word begins with is found in one walk along its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace distilserve {

struct VocabEntry {
  std::string text;  // UTF-8
  int32_t id = 0;    // at least 0
};

// A double-array trie (Aoe 1989): the child of a node for a byte lies in slot `base + byte`, if that slot says so.
class VocabTrie {
 public:
  using Node = int32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = -1;

  struct Match {
    int32_t id = kNone;
    size_t length = 0;  // bytes
  };

  // The entries' texts must differ.
  explicit VocabTrie(std::vector<VocabEntry> entries);

  // The node that `text` leads to, or kNone.
  Node walk(std::string_view text) const;

  // The longest entry below `node` that `text` begins with; of at least one byte.
  Match longest(Node node, std::string_view text) const {
    Match match;
    for (size_t at = 0; at < text.size(); ++at) {
      node = child(node, static_cast<uint8_t>(text[at]));
      if (node == kNone) break;
      if (slots_[node].id != kNone) match = {slots_[node].id, at + 1};
    }
    return match;
  }

 private:
  struct Slot {
    int32_t base = 0;
    Node parent = kNone;
    int32_t id = kNone;
  };
  struct Range {
    Node node;
    size_t first, last;  // of the sorted entries that share the node's bytes
    size_t depth;
  };

  Node child(Node node, uint8_t byte) const {
    const Node slot = slots_[node].base + byte;
    return slots_[slot].parent == node ? slot : kNone;
  }
  void add_children(const std::vector<VocabEntry>& entries, const Range& range, std::vector<Range>& todo);
  int32_t find_base(const std::vector<uint8_t>& bytes);
  int32_t next_free(int32_t slot);
  bool is_free(int32_t slot) const { return next_free_[slot] == slot; }
  void grow(int32_t size);

  std::vector<Slot> slots_;
  // While it is made: the slot itself where that is free, or one not beyond the next that is.
  std::vector<int32_t> next_free_;
};

}  // namespace distilserve

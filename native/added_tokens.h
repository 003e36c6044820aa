// Tokens that are looked for in a text before it is cut into words, such as [SEP].
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "error.h"

namespace distilserve {

// Finds the longest of the tokens where a text begins with one.
template <typename Char>
class AddedTokens {
 public:
  struct Token {
    std::basic_string<Char> content;
    int32_t id = 0;
  };

  // Throws invalid_argument for an empty content, or one that is there already.
  void add(std::basic_string<Char> content, int32_t id) {
    if (content.empty()) fail("invalid_argument", "Expected added token ", id, " to leave something when normalized");
    std::vector<Token>& tokens = by_first_[content.front()];
    for (const Token& other : tokens) {
      if (other.content == content) {
        fail("invalid_argument", "Expected added tokens that differ when normalized but ", other.id, " and ", id,
             " do not");
      }
    }
    longest_ = std::max(longest_, content.size());
    tokens.push_back({std::move(content), id});
    std::sort(tokens.begin(), tokens.end(),
              [](const Token& a, const Token& b) { return a.content.size() > b.content.size(); });
  }

  const Token* match(std::basic_string_view<Char> text) const {
    const auto found = by_first_.find(text.front());
    if (found == by_first_.end()) return nullptr;
    for (const Token& token : found->second) {
      if (text.starts_with(token.content)) return &token;
    }
    return nullptr;
  }

  bool starts_with(Char first) const { return by_first_.contains(first); }
  bool empty() const { return by_first_.empty(); }
  // Characters of the longest token.
  size_t longest() const { return longest_; }

 private:
  std::unordered_map<Char, std::vector<Token>> by_first_;
  size_t longest_ = 0;
};

}  // namespace distilserve

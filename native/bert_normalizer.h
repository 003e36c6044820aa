// Hugging Face's BertNormalizer, one character at a time: clean text, space ideographs, NFD without marks, lower case.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unicode.h"

namespace distilserve {

struct NormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

// Every method that takes `emit` calls it with each character that is certain by then.
class BertNormalizer {
 public:
  explicit BertNormalizer(const NormalizerOptions& options) : options_(options) {}

  template <typename Emit>
  void put(char32_t character, Emit&& emit) {
    const uint8_t flags = unicode_.of(character).flags;
    if (options_.clean_text) {
      if (flags & kRemoved) return;
      if (flags & kBlank) return put_clean(U' ', emit);
    }
    if (options_.handle_chinese_chars && (flags & kIdeograph)) {
      put_clean(U' ', emit);
      put_clean(character, emit);
      return put_clean(U' ', emit);
    }
    put_clean(character, emit);
  }

  // Gives what waits for the marks after it: to be called where the text ends.
  template <typename Emit>
  void finish(Emit&& emit) {
    if (marks_.empty()) return;
    std::stable_sort(marks_.begin(), marks_.end(), [this](char32_t a, char32_t b) {
      return unicode_.of(a).rank < unicode_.of(b).rank;
    });
    for (const char32_t mark : marks_) put_lowercase(mark, emit);
    marks_.clear();
  }

  bool is_waiting() const { return !marks_.empty(); }

 private:
  template <typename Emit>
  void put_clean(char32_t character, Emit&& emit) {
    if (!options_.strip_accents) return put_lowercase(character, emit);
    if (!(unicode_.of(character).flags & kDecomposes)) return put_decomposed(character, emit);
    char32_t hangul[3];
    for (const char32_t part : unicode_.decompose(character, hangul)) put_decomposed(part, emit);
  }

  // Marks that stay are put into canonical order, which the next starter ends, be it one that goes.
  template <typename Emit>
  void put_decomposed(char32_t character, Emit&& emit) {
    const CharacterClass kind = unicode_.of(character);
    if (kind.rank == 0) finish(emit);
    if (kind.flags & kMark) return;
    if (kind.rank == 0) return put_lowercase(character, emit);
    marks_.push_back(character);
  }

  template <typename Emit>
  void put_lowercase(char32_t character, Emit&& emit) {
    if (!options_.lowercase || !(unicode_.of(character).flags & kUppercase)) return emit(character);
    char32_t single[1];
    for (const char32_t lower : unicode_.lowercase(character, single)) emit(lower);
  }

  const Unicode& unicode_ = Unicode::get();
  NormalizerOptions options_;
  std::vector<char32_t> marks_;
};

// The next character of UTF-16 with anything in it, which moves `at` on; half of a surrogate pair is U+FFFD, as it is
// when a string becomes UTF-8.
char32_t next_character(std::u16string_view text, size_t& at);

// All of a text.
std::u32string normalize(std::u16string_view text, const NormalizerOptions& options);

}  // namespace distilserve

// Characters as the parts of Hugging Face's BERT tokenizer see them. Its crates hold Unicode of several versions; the
// tables are what they answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "unicode_tables.h"

namespace distilserve {

constexpr char32_t kCodePoints = 0x110000;

// Of CharacterClass::flags.
constexpr uint8_t kRemoved = 1;       // clean_text takes it away
constexpr uint8_t kBlank = 2;         // clean_text makes it a space
constexpr uint8_t kIdeograph = 4;     // handle_chinese_chars sets spaces around it
constexpr uint8_t kDecomposes = 8;    // NFD changes it
constexpr uint8_t kMark = 16;         // strip_accents takes it away after NFD
constexpr uint8_t kUppercase = 32;    // lower case changes it
constexpr uint8_t kSpace = 64;        // ends a word
constexpr uint8_t kPunctuation = 128;  // a word of its own

class Unicode {
 public:
  // Made at the first call, for the whole process.
  static const Unicode& get();

  CharacterClass of(char32_t character) const { return kClasses[classes_[character]]; }

  // The full canonical decomposition of a character with kDecomposes; `hangul` is room for that of a syllable.
  std::u32string_view decompose(char32_t character, char32_t (&hangul)[3]) const;

  // The lower case of a character with kUppercase: one or two characters.
  std::u32string_view lowercase(char32_t character, char32_t (&single)[1]) const;

 private:
  Unicode();

  uint8_t classes_[kCodePoints];
};

}  // namespace distilserve

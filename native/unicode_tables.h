// What tokenizers' core knows of characters: data, made by a program. unicode.h is how it is asked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace distilserve {

struct CharacterClass {
  uint8_t flags;  // of unicode.h
  // Rank of the canonical combining class, 0 for a starter. Marks that accents' removal takes away all have 1.
  uint8_t rank;
};

// Every `step`th character from first to last has a lower case, `difference` away.
struct LowercaseRun {
  char32_t first;
  char32_t last;
  int32_t step;
  int32_t difference;
};

extern const CharacterClass kClasses[];
extern const size_t kClassCount;

// Code point * 256 + index into kClasses, rising: the class holds from there to the next run.
extern const uint32_t kClassRuns[];
extern const size_t kClassRunCount;

// Canonical decompositions (NFD), rising: the character, what it becomes, and 0; Hangul syllables are not in it.
extern const char32_t kDecompositions[];
extern const size_t kDecompositionLength;

extern const LowercaseRun kLowercaseRuns[];
extern const size_t kLowercaseRunCount;

}  // namespace distilserve

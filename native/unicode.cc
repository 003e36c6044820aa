#include "unicode.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace distilserve {
namespace {

constexpr char32_t kFirstSyllable = 0xac00;
constexpr char32_t kLastSyllable = 0xd7a3;
constexpr char32_t kDottedI = 0x130;

std::u32string_view decompose_syllable(char32_t character, char32_t (&room)[3]) {
  // 19 leading consonants, each with 21 vowels, each of those without and with one of 27 trailing consonants.
  const char32_t index = character - kFirstSyllable;
  const char32_t trailing = index % 28;
  room[0] = 0x1100 + index / (21 * 28);
  room[1] = 0x1161 + index / 28 % 21;
  room[2] = 0x11a7 + trailing;
  return {room, trailing == 0 ? 2u : 3u};
}

// Where in kDecompositions each character's entry begins.
std::vector<uint32_t> index_decompositions() {
  std::vector<uint32_t> starts;
  for (size_t at = 0; at < kDecompositionLength; ++at) {
    if (at == 0 || kDecompositions[at - 1] == 0) starts.push_back(static_cast<uint32_t>(at));
  }
  return starts;
}

}  // namespace

const Unicode& Unicode::get() {
  static const std::unique_ptr<const Unicode> instance(new Unicode);
  return *instance;
}

Unicode::Unicode() {
  for (size_t run = 0; run < kClassRunCount; ++run) {
    const char32_t first = kClassRuns[run] >> 8;
    const char32_t end = run + 1 < kClassRunCount ? kClassRuns[run + 1] >> 8 : kCodePoints;
    std::memset(classes_ + first, static_cast<int>(kClassRuns[run] & 0xff), end - first);
  }
}

std::u32string_view Unicode::decompose(char32_t character, char32_t (&hangul)[3]) const {
  if (character >= kFirstSyllable && character <= kLastSyllable) return decompose_syllable(character, hangul);
  static const std::vector<uint32_t> starts = index_decompositions();
  const auto entry = std::lower_bound(starts.begin(), starts.end(), character,
                                      [](uint32_t start, char32_t wanted) { return kDecompositions[start] < wanted; });
  return kDecompositions + *entry + 1;
}

std::u32string_view Unicode::lowercase(char32_t character, char32_t (&single)[1]) const {
  // The one character that becomes two; the program that makes the tables makes sure that it is.
  if (character == kDottedI) return U"i\u0307";
  const LowercaseRun* run =
      std::upper_bound(kLowercaseRuns, kLowercaseRuns + kLowercaseRunCount, character,
                       [](char32_t wanted, const LowercaseRun& other) { return wanted < other.first; }) - 1;
  single[0] = static_cast<char32_t>(static_cast<int32_t>(character) + run->difference);
  return {single, 1};
}

}  // namespace distilserve

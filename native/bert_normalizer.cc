#include "bert_normalizer.h"

namespace distilserve {
namespace {

constexpr char32_t kReplacement = 0xfffd;

bool is_high_surrogate(char16_t unit) { return (unit & 0xfc00) == 0xd800; }
bool is_low_surrogate(char16_t unit) { return (unit & 0xfc00) == 0xdc00; }

}  // namespace

char32_t next_character(std::u16string_view text, size_t& at) {
  const char16_t unit = text[at++];
  if (!is_high_surrogate(unit)) return is_low_surrogate(unit) ? kReplacement : unit;
  if (at == text.size() || !is_low_surrogate(text[at])) return kReplacement;
  return 0x10000 + ((unit & 0x3ffu) << 10) + (text[at++] & 0x3ffu);
}

std::u32string normalize(std::u16string_view text, const NormalizerOptions& options) {
  BertNormalizer normalizer(options);
  std::u32string result;
  const auto emit = [&](char32_t character) { result += character; };
  for (size_t at = 0; at < text.size();) normalizer.put(next_character(text, at), emit);
  normalizer.finish(emit);
  return result;
}

}  // namespace distilserve

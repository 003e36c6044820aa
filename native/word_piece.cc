#include "word_piece.h"

#include <utility>

#include "error.h"

namespace distilserve {
WordPiece::WordPiece(std::vector<VocabEntry> vocab, const WordPieceOptions& options)
    : trie_(std::move(vocab)), options_(options), continuing_(trie_.walk(options.continuing_subword_prefix)) {
  for (const AddedToken& token : options.added_tokens) {
    if (token.normalized) {
      normalized_tokens_.add(normalize(token.content, options.normalizer), token.id);
    } else {
      raw_tokens_.add(token.content, token.id);
    }
  }
  fill_ascii();
}

void WordPiece::fill_ascii() {
  // Normalized tokens are looked for among normalized characters, all of them.
  if (!normalized_tokens_.empty()) return;
  const Unicode& unicode = Unicode::get();
  for (char32_t character = 0; character < 128; ++character) {
    if (raw_tokens_.starts_with(static_cast<char16_t>(character))) continue;
    const uint8_t flags = unicode.of(character).flags;
    const bool lowers = options_.normalizer.lowercase && (flags & kUppercase);
    lowered_[character] = static_cast<char>(lowers ? character - U'A' + U'a' : character);
    if (options_.normalizer.clean_text && (flags & kRemoved)) {
      ascii_[character] = Ascii::kRemoved;
    } else if (flags & kSpace) {
      ascii_[character] = Ascii::kSpace;
    } else {
      ascii_[character] = flags & kPunctuation ? Ascii::kPunctuation : Ascii::kLetter;
    }
  }
}

void WordPiece::append_pieces(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  VocabTrie::Node node = VocabTrie::kRoot;
  while (!word.empty()) {
    const VocabTrie::Match match = node == VocabTrie::kNone ? VocabTrie::Match{} : trie_.longest(node, word);
    if (match.id == VocabTrie::kNone) {
      ids.resize(before);
      ids.push_back(options_.unk_id);
      return;
    }
    ids.push_back(match.id);
    word.remove_prefix(match.length);
    node = continuing_;
  }
}

TextEncoder::TextEncoder(const WordPiece& vocab, int64_t max_length)
    : vocab_(vocab), normalizer_(vocab.options_.normalizer), limit_(0) {
  if (max_length < 2) fail("invalid_argument", "Expected maxLength of at least 2 but received ", max_length);
  limit_ = static_cast<size_t>(max_length) - 2;
  ids_.reserve(256);
}

void TextEncoder::begin() {
  ids_.push_back(vocab_.options_.cls_id);
  end_ = ids_.size() + limit_;
}

bool TextEncoder::finish() {
  end_piece();
  const bool is_cut = is_full();
  if (is_cut) ids_.resize(end_);
  ids_.push_back(vocab_.options_.sep_id);
  return is_cut;
}

size_t TextEncoder::feed(std::u16string_view text, bool is_last) {
  // What may be the beginning of an added token or of a pair of surrogates waits for the rest of it.
  const size_t held = is_last ? 0 : vocab_.raw_tokens_.longest() + 1;
  const size_t end = text.size() > held ? text.size() - held : 0;
  size_t at = 0;
  while (at < end && !is_full()) {
    at = feed_ascii(text, at, end);
    if (at >= end || is_full()) break;
    if (!vocab_.raw_tokens_.empty()) {
      if (const auto* token = vocab_.raw_tokens_.match(text.substr(at))) {
        end_piece();
        ids_.push_back(token->id);
        at += token->content.size();
        continue;
      }
    }
    feed_character(next_character(text, at));
  }
  return at;
}

// Takes ASCII up to something that has to be looked at more closely, or to a full list.
size_t TextEncoder::feed_ascii(std::u16string_view text, size_t at, size_t end) {
  for (; at < end && text[at] < 128; ++at) {
    const char16_t unit = text[at];
    const WordPiece::Ascii kind = vocab_.ascii_[unit];
    if (kind == WordPiece::Ascii::kSlow) return at;
    if (kind == WordPiece::Ascii::kRemoved) continue;
    if (normalizer_.is_waiting()) {
      feed_character(unit);
    } else if (kind == WordPiece::Ascii::kLetter) {
      append(static_cast<unsigned char>(vocab_.lowered_[unit]));
    } else {
      end_word();
      if (kind == WordPiece::Ascii::kPunctuation) {
        append(unit);
        end_word();
      }
      if (is_full()) return at + 1;
    }
  }
  return at;
}

void TextEncoder::feed_character(char32_t character) {
  normalizer_.put(character, [this](char32_t normalized) { put_normalized(normalized); });
}

void TextEncoder::put_normalized(char32_t character) {
  if (vocab_.normalized_tokens_.empty()) return put_in_word(character);
  window_ += character;
  put_window(false);
}

// Takes the characters of the window at which it is known whether an added token begins.
void TextEncoder::put_window(bool is_last) {
  const AddedTokens<char32_t>& tokens = vocab_.normalized_tokens_;
  size_t at = 0;
  while (at < window_.size() && (is_last || window_.size() - at >= tokens.longest())) {
    const auto* token = tokens.match(std::u32string_view(window_).substr(at));
    if (token == nullptr) {
      put_in_word(window_[at++]);
      continue;
    }
    end_word();
    ids_.push_back(token->id);
    at += token->content.size();
  }
  window_.erase(0, at);
}

void TextEncoder::put_in_word(char32_t character) {
  const uint8_t flags = unicode_.of(character).flags;
  if (flags & kSpace) return end_word();
  if (!(flags & kPunctuation)) return append(character);
  end_word();
  append(character);
  end_word();
}

void TextEncoder::append(char32_t character) {
  if (++word_characters_ > vocab_.options_.max_input_chars_per_word) return;
  if (character < 0x80) {
    word_ += static_cast<char>(character);
    return;
  }
  if (character < 0x800) {
    word_ += static_cast<char>(0xc0 | character >> 6);
  } else {
    if (character < 0x10000) {
      word_ += static_cast<char>(0xe0 | character >> 12);
    } else {
      word_ += static_cast<char>(0xf0 | character >> 18);
      word_ += static_cast<char>(0x80 | (character >> 12 & 0x3f));
    }
    word_ += static_cast<char>(0x80 | (character >> 6 & 0x3f));
  }
  word_ += static_cast<char>(0x80 | (character & 0x3f));
}

void TextEncoder::end_word() {
  if (word_characters_ == 0) return;
  if (word_characters_ > vocab_.options_.max_input_chars_per_word) {
    ids_.push_back(vocab_.options_.unk_id);
  } else {
    vocab_.append_pieces(word_, ids_);
  }
  word_.clear();
  word_characters_ = 0;
}

void TextEncoder::end_piece() {
  normalizer_.finish([this](char32_t normalized) { put_normalized(normalized); });
  if (!window_.empty()) put_window(true);
  end_word();
}

}  // namespace distilserve

// The string table and the trie against the standard containers, on random strings.
#include <gtest/gtest.h>

#include <map>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/string_table.h"
#include "tokenizer/trie.h"

namespace galley {
namespace {

std::string random_key(std::mt19937& random) {
  return random() % 4 == 0 ? test::random_bytes(random, random() % 40)
                           : test::random_text(random, random() % 12, {"a", "b"});
}

TEST(StringTable, EqualsAMap) {
  std::mt19937 random(1);
  StringTable table;
  std::map<std::string, std::int32_t> map;
  for (std::int32_t id = 0; id < 5000; ++id) {
    if (id == 100) table.reserve(5000, 50000);
    const std::string key = random_key(random);
    ASSERT_EQ(table.add(key), id);
    ASSERT_EQ(table[id], key);
    if (!key.empty()) map.emplace(key, id);
  }
  EXPECT_EQ(table.size(), 5000);
  for (const auto& [key, id] : map) ASSERT_EQ(table.find(key), id);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = random_key(random);
    const auto found = map.find(key);
    table.prefetch(key);
    ASSERT_EQ(table.find(key), found == map.end() ? StringTable::kNotFound : found->second);
  }
}

TEST(StringTable, TellsTrailingZerosApart) {
  StringTable table;
  EXPECT_EQ(table.find("a"), StringTable::kNotFound);
  table.prefetch("a");
  table.add(std::string("a\0", 2));
  table.add(std::string("\0\0\0", 3));
  EXPECT_EQ(table.find("a"), StringTable::kNotFound);
  EXPECT_EQ(table.find(std::string("a\0", 2)), 0);
  EXPECT_EQ(table.find(std::string("\0\0", 2)), StringTable::kNotFound);
  EXPECT_EQ(table.find(std::string("\0\0\0", 3)), 1);
}

TEST(Trie, EqualsAMap) {
  std::mt19937 random(2);
  Trie trie;
  std::map<std::string, std::int32_t> map;
  for (std::int32_t value = 0; value < 3000; ++value) {
    const std::string key = random_key(random);
    if (key.empty()) continue;
    trie.insert(key, value);
    map.emplace(key, value);
  }
  const auto find = [&](const std::string& key) {
    Trie::Node node = Trie::kRoot;
    for (const char c : key) {
      node = trie.child(node, static_cast<unsigned char>(c));
      if (node == Trie::kNone) return Trie::kNoValue;
    }
    return trie.value(node);
  };
  for (const auto& [key, value] : map) ASSERT_EQ(find(key), value);
  for (int i = 0; i < 3000; ++i) {
    const std::string key = random_key(random);
    const auto found = map.find(key);
    ASSERT_EQ(find(key), found == map.end() ? Trie::kNoValue : found->second);
  }
}

}  // namespace
}  // namespace galley

#include "model/ngram_draft.h"

#include <gtest/gtest.h>

namespace galley {
namespace {

using Ids = std::vector<TokenId>;

TEST(NgramDraft, ProposesWhatFollowedTheSameTokens) {
  NgramDraft draft(8);
  draft.append(Ids{1, 2, 3, 4, 5, 6, 9, 2, 3});
  EXPECT_EQ(draft.propose(), (Ids{4, 5, 6, 9}));
}

TEST(NgramDraft, ProposesNothingForNewTokens) {
  NgramDraft draft(8);
  EXPECT_EQ(draft.propose(), Ids{});
  draft.append(Ids{1});
  EXPECT_EQ(draft.propose(), Ids{});
  draft.append(Ids{2, 3, 4});
  EXPECT_EQ(draft.propose(), Ids{});
}

TEST(NgramDraft, LongerRunsAreTrustedFirst) {
  NgramDraft draft(1);
  draft.append(Ids{7, 2, 3, 40, 8, 2, 3, 50, 7, 2, 3});
  EXPECT_EQ(draft.propose(), Ids{40}) << "7 2 3 went on with 40, though 2 3 last did with 50";
}

TEST(NgramDraft, LatestAppearanceWins) {
  NgramDraft draft(1);
  draft.append(Ids{2, 3, 40, 9, 2, 3, 50, 8, 2, 3});
  EXPECT_EQ(draft.propose(), Ids{50});
}

TEST(NgramDraft, RepeatsWhatReachesTheEnd) {
  NgramDraft draft(8);
  draft.append(Ids{9, 4, 5, 4, 5});
  EXPECT_EQ(draft.propose(), (Ids{4, 5, 4, 5}));
}

TEST(NgramDraft, LengthFollowsSuccess) {
  NgramDraft draft(8);
  const Ids cycle = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2};
  draft.append(cycle);
  EXPECT_EQ(draft.propose().size(), 4u);
  draft.report(4, 4);
  EXPECT_EQ(draft.propose().size(), 8u);
  draft.report(8, 8);
  EXPECT_EQ(draft.propose().size(), 8u);
  draft.report(8, 1);
  EXPECT_EQ(draft.propose().size(), 2u);
  draft.report(2, 0);
  EXPECT_EQ(draft.propose().size(), 1u);
}

TEST(NgramDraft, TruncateForgets) {
  NgramDraft draft(4);
  draft.append(Ids{1, 2, 3, 4, 1, 2, 5});
  draft.truncate(6);
  EXPECT_EQ(draft.propose(), (Ids{3, 4, 1, 2}));
  draft.truncate(2);
  EXPECT_EQ(draft.propose(), Ids{});
}

}  // namespace
}  // namespace galley

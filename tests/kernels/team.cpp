// The barrier, and reading ahead of it.
#include "kernels/team.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "kernels/read_ahead.h"

namespace galley::kernels {
namespace {

void run_threads(int n, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(Barrier, WhatAllWroteBeforeAllSeeAfter) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 2000;
  Barrier barrier;
  std::vector<int> rounds(kThreads, 0);
  std::vector<int> wrong(kThreads, 0);
  run_threads(kThreads, [&](int self) {
    for (int round = 1; round <= kRounds; ++round) {
      rounds[static_cast<std::size_t>(self)] = round;
      barrier.wait(kThreads);
      for (const int other : rounds) wrong[static_cast<std::size_t>(self)] += other != round;
      barrier.wait(kThreads);
    }
  });
  EXPECT_EQ(wrong, std::vector<int>(kThreads, 0));
}

TEST(Barrier, AsksForWhatIsReadSoonWhileItWaitsAndForNothingBehind) {
  constexpr int kLines = 64;
  const std::vector<std::byte> memory((kLines + 1) * kLineBytes);
  std::vector<Bytes> soon(2, Bytes{memory.data(), memory.data() + kLines * kLineBytes - 1});
  Barrier barrier;
  run_threads(2, [&](int self) {
    // The second comes so late that the first has asked for everything by then.
    if (self == 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    barrier.wait(2, soon[static_cast<std::size_t>(self)]);
  });
  EXPECT_EQ(soon[0].begin, memory.data() + kLines * kLineBytes);
  EXPECT_EQ(soon[1].begin, memory.data());
}

TEST(Barrier, OneThreadDoesNotWait) {
  const std::byte memory[kLineBytes]{};
  Bytes soon{memory, memory + kLineBytes};
  Barrier barrier;
  barrier.wait(1, soon);
  EXPECT_EQ(soon.begin, memory);
}

}  // namespace
}  // namespace galley::kernels

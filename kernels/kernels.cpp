#include "kernels/kernels.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "kernels/avx512bf16/check.h"
#include "kernels/cpu.h"
#include "tensor/error.h"

namespace galley::kernels {
namespace {

constexpr std::array<std::string_view, 5> kIsaNames = {"scalar", "avx2", "avxvnni", "avx512",
                                                       "avx512bf16"};

#define GALLEY_TABLE_ENTRY(name, Args) .name = GALLEY_ISA_NAMESPACE::name,
constexpr std::array<KernelTable, 5> kTables = {{
#define GALLEY_ISA_NAMESPACE scalar
    {.isa = Isa::kScalar, GALLEY_KERNELS(GALLEY_TABLE_ENTRY)},
#undef GALLEY_ISA_NAMESPACE
#define GALLEY_ISA_NAMESPACE avx2
    {.isa = Isa::kAvx2, GALLEY_KERNELS(GALLEY_TABLE_ENTRY)},
#undef GALLEY_ISA_NAMESPACE
#define GALLEY_ISA_NAMESPACE avxvnni
    {.isa = Isa::kAvxVnni, GALLEY_KERNELS(GALLEY_TABLE_ENTRY)},
#undef GALLEY_ISA_NAMESPACE
#define GALLEY_ISA_NAMESPACE avx512
    {.isa = Isa::kAvx512, GALLEY_KERNELS(GALLEY_TABLE_ENTRY)},
#undef GALLEY_ISA_NAMESPACE
#define GALLEY_ISA_NAMESPACE avx512bf16
    {.isa = Isa::kAvx512Bf16, GALLEY_KERNELS(GALLEY_TABLE_ENTRY)},
#undef GALLEY_ISA_NAMESPACE
}};
#undef GALLEY_TABLE_ENTRY

// The tables this CPU can run, the best first.
struct Available {
  std::array<Isa, 5> isas{};
  std::size_t count = 0;
};

Available detect() {
  const CpuFeatures cpu = cpu_features();
  Available found;
  if (cpu.avx512bf16 && avx512bf16::dot_product_is_as_specified()) {
    found.isas[found.count++] = Isa::kAvx512Bf16;
  }
  if (cpu.avx512) found.isas[found.count++] = Isa::kAvx512;
  if (cpu.avxvnni) found.isas[found.count++] = Isa::kAvxVnni;
  if (cpu.avx2) found.isas[found.count++] = Isa::kAvx2;
  found.isas[found.count++] = Isa::kScalar;
  return found;
}

std::string names_of_available() {
  std::string names;
  for (const Isa isa : available_isas()) {
    if (!names.empty()) names += ", ";
    names += isa_name(isa);
  }
  return names;
}

const KernelTable* default_table() {
  const char* wanted = std::getenv("GALLEY_ISA");
  if (wanted == nullptr || *wanted == '\0') return &table(available_isas().front());
  const std::optional<Isa> isa = isa_from_name(wanted);
  if (!isa) {
    throw Error(ErrorKind::kUsage, "GALLEY_ISA: unknown instruction set '" + std::string(wanted) +
                                       "'; this CPU has " + names_of_available());
  }
  return &table(*isa);
}

// Null until the first use.
std::atomic<const KernelTable*> g_table{nullptr};

}  // namespace

std::string_view isa_name(Isa isa) { return kIsaNames[static_cast<std::size_t>(isa)]; }

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const KernelTable& entry : kTables) {
    if (isa_name(entry.isa) == name) return entry.isa;
  }
  return std::nullopt;
}

std::span<const Isa> available_isas() {
  static const Available available = detect();
  return {available.isas.data(), available.count};
}

const KernelTable& table(Isa isa) {
  for (const Isa available : available_isas()) {
    if (available == isa) return kTables[static_cast<std::size_t>(isa)];
  }
  throw Error(ErrorKind::kUsage, "this CPU cannot run the instruction set '" +
                                     std::string(isa_name(isa)) + "'; it has " +
                                     names_of_available());
}

const KernelTable& table() {
  const KernelTable* in_use = g_table.load(std::memory_order_acquire);
  if (in_use == nullptr) {
    in_use = default_table();
    g_table.store(in_use, std::memory_order_release);
  }
  return *in_use;
}

void select_isa(Isa isa) { g_table.store(&table(isa), std::memory_order_release); }

}  // namespace galley::kernels

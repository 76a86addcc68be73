/// The only place that depends on the operating system; network.cpp leaves the rest to Asio.
#pragma once

#include <filesystem>
#include <optional>

namespace p4::detail {

/// Of this user.
std::optional<std::filesystem::path> home_directory();

} // namespace p4::detail

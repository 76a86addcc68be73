#include "platform.hpp"

#include <cstdlib>

namespace p4::detail {

std::optional<std::filesystem::path> home_directory() {
#ifdef _WIN32
    constexpr auto variable = L"USERPROFILE";
    const wchar_t* found = _wgetenv(variable);
    if (found != nullptr && *found != L'\0') {
        return std::filesystem::path(found);
    }
#else
    const char* found = std::getenv("HOME"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    if (found != nullptr && *found != '\0') {
        return std::filesystem::path(found);
    }
#endif
    return std::nullopt;
}

} // namespace p4::detail

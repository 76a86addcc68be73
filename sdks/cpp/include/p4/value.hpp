/// @file
/// What is sent and what arrives: bytes, or JSON.
#pragma once

#include <p4/error.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace p4 {

/// Bytes that belong to whoever holds them.
using Bytes = std::vector<std::byte>;

/// The bytes of a text, as it is encoded.
[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// The text that bytes are the encoding of; nothing is checked.
[[nodiscard]] inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A value that is sent or has arrived. Owns its content.
class Value {
public:
    /// JSON null.
    Value() = default;

    /// Bytes.
    Value(Bytes bytes) : content_(std::move(bytes)) {} // NOLINT(google-explicit-constructor)

    /// A copy of bytes.
    Value(std::span<const std::byte> bytes) // NOLINT(google-explicit-constructor)
        : content_(Bytes(bytes.begin(), bytes.end())) {}

    /// JSON: text in UTF-8, numbers, booleans, lists, maps, and all else that nlohmann::json takes.
    // clang-format off
    template <typename T>
        requires(std::same_as<std::remove_cvref_t<T>, Json> ||
                 (std::constructible_from<Json, T &&> && !std::same_as<std::remove_cvref_t<T>, Value> &&
                  !std::convertible_to<T &&, std::span<const std::byte>>))
    Value(T&& content) : content_(Json(std::forward<T>(content))) {} // NOLINT(google-explicit-constructor)
    // clang-format on

    /// Whether these are bytes, not JSON.
    [[nodiscard]] bool is_bytes() const noexcept { return std::holds_alternative<Bytes>(content_); }

    /// The bytes. Valid as long as this value.
    /// @throws P4Error `not-bytes`: it is JSON
    [[nodiscard]] const Bytes& bytes() const;

    /// The JSON. Valid as long as this value.
    /// @throws P4Error `not-json`: these are bytes
    [[nodiscard]] const Json& json() const;

    /// The JSON as a type that nlohmann::json converts to.
    /// @throws P4Error `not-json`: these are bytes; `bad-value`: it does not fit
    template <typename T>
    [[nodiscard]] T as() const {
        try {
            return json().get<T>();
        } catch (const nlohmann::json::exception&) {
            throw P4Error("bad-value", "This value has another form than the program expects.");
        }
    }

    /// The text of a JSON string, without quotes.
    /// @throws P4Error `not-text`: it is anything else
    [[nodiscard]] const std::string& text() const;

    /// For people: text as it is, other JSON as JSON, of bytes their number.
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const Value&, const Value&) = default;

private:
    std::variant<Json, Bytes> content_;
};

} // namespace p4

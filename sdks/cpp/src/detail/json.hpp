/// The daemon's JSON, paths and errors (spec/daemon-api, "Rules for all routes").
#pragma once

#include <p4/records.hpp>
#include <p4/value.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace p4::detail {

/// @throws P4Error `bad-answer`
Json parse(std::string_view text);

/// @throws P4Error `bad-value`: it holds text that is not UTF-8
std::string text_of_json(const Json& json);

/// A name or id as one part of a path. @throws P4Error `bad-name`
std::string path_part(std::string_view part);

/// A query with its question mark; parameters with an empty value are left out.
std::string query(std::initializer_list<std::pair<std::string_view, std::string>> parameters);

/// The error of an answer, whatever its body is.
P4Error error_of_answer(int status, std::string_view body);

/// The error that `{"code", "message", "data"}` describes.
P4Error error_of_object(const Json& entry, int status = 0);

P4Error bad_answer();
P4Error no_daemon(std::string_view where);
P4Error connection_lost();
P4Error closed_error();

/// Writes a value into a request; gives about how many bytes it takes there.
std::size_t put(const Value& value, Json& body);

/// The value of an entry. @throws P4Error `bad-body`
Value value_of(const Json& entry);

/// Seconds, as the daemon takes them.
template <typename Length>
double seconds(Length length) {
    return std::chrono::duration<double>(length).count();
}

std::string member_text(const Json& object, std::string_view name);
std::uint64_t member_number(const Json& object, std::string_view name);

template <typename T>
void read(const Json& from, T& to);

template <typename T>
concept Record = requires(T& record) {
    T::each(record, [](const char*, auto&) {});
};

template <typename T>
inline constexpr bool is_vector = false;
template <typename T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <typename T>
inline constexpr bool is_optional = false;
template <typename T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Reads a value that the daemon wrote; null leaves what is there.
template <typename T>
void read(const Json& from, T& to) {
    if (from.is_null()) {
        return;
    }
    if constexpr (is_optional<T>) {
        read(from, to.emplace());
    } else if constexpr (is_vector<T>) {
        to.clear();
        for (const auto& one : from) {
            read(one, to.emplace_back());
        }
    } else if constexpr (Record<T>) {
        if (!from.is_object()) {
            throw bad_answer();
        }
        T::each(to, [&](const char* name, auto& member) {
            if (const auto found = from.find(name); found != from.end()) {
                read(*found, member);
            }
        });
    } else {
        try {
            from.get_to(to);
        } catch (const nlohmann::json::exception&) {
            throw bad_answer();
        }
    }
}

template <typename T>
T record(const Json& from) {
    if (!from.is_object()) {
        throw bad_answer();
    }
    T made;
    read(from, made);
    return made;
}

/// The records of a list in an answer.
template <typename T>
std::vector<T> records(const Json& answer, const char* name) {
    std::vector<T> made;
    read(answer.is_object() ? answer.value(name, Json::array()) : Json(), made);
    return made;
}

} // namespace p4::detail

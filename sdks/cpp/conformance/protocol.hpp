/// What the parts of the conformance command share; conformance/README.md of the repository says what it does.
#pragma once

#include <p4/p4.hpp>

#include <functional>
#include <map>
#include <string>

using p4::Json;

/// Gives the result of a request's arguments.
using Operation = std::function<Json(const Json& given)>;
using Operations = std::map<std::string, Operation>;

/// Things by the handles that requests gave them.
template <typename Thing>
class Handles {
public:
    Thing& at(const Json& given, const char* kind) {
        const auto found = things_.find(given.at(kind).get<std::string>());
        if (found == things_.end()) {
            throw p4::P4Error("no-handle", "There is no such " + std::string(kind) + ".");
        }
        return found->second;
    }

    void put(const Json& given, const char* kind, Thing thing) {
        things_.insert_or_assign(given.at(kind).get<std::string>(), std::move(thing));
    }

    void drop(const Json& given, const char* kind) { things_.erase(given.at(kind).get<std::string>()); }

private:
    std::map<std::string, Thing> things_;
};

inline p4::Duration patience_of(const Json& given, const char* name = "timeout_seconds") {
    return std::chrono::duration_cast<p4::Duration>(std::chrono::duration<double>(given.at(name).get<double>()));
}

inline void require_in_time(bool in_time) {
    if (!in_time) {
        throw p4::P4Error("timeout", "The time is over.");
    }
}

inline std::string text(const Json& given, const char* name) {
    return given.at(name).get<std::string>();
}

inline p4::Value value_of(const Json& given) {
    if (given.contains("base64")) {
        return p4::core::from_base64(text(given, "base64"));
    }
    return given.at("value");
}

/// Adds a value to a result.
inline Json with_value(Json result, const p4::Value& value) {
    if (value.is_bytes()) {
        result["base64"] = p4::core::to_base64(value.bytes());
    } else {
        result["value"] = value.json();
    }
    return result;
}

inline Json contact_entry(const p4::ContactName& contact) {
    return {{"id", contact.id}, {"name", contact.name}};
}

inline p4::Bytes from_hex(const std::string& text) {
    p4::Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

/// Bytes of a fixed number: a nonce, a seed, a signature.
template <typename Array>
Array array_of(const p4::Bytes& bytes, const char* code) {
    Array array{};
    if (bytes.size() != array.size()) {
        throw p4::P4Error(code, "This has another length.");
    }
    std::copy(bytes.begin(), bytes.end(), array.begin());
    return array;
}

/// The clients, by their handles.
using Clients = Handles<p4::Client>;

Operations core_operations();
Operations device_operations(Clients& clients);
Operations channel_operations(Clients& clients);

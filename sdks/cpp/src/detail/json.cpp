#include "json.hpp"

#include <p4/core.hpp>

#include <cctype>

namespace p4 {

P4Error::P4Error(std::string code, const std::string& message, Json data, int status)
    : std::runtime_error(message), code_(std::move(code)), data_(std::move(data)), status_(status) {}

std::string P4Error::type() const {
    return detail::member_text(data_, "type");
}

bool P4Error::may_have_run() const {
    if (type() == "CallFailed") {
        return true;
    }
    if (const auto told = data_.find("may_have_run"); told != data_.end() && told->is_boolean()) {
        return told->get<bool>();
    }
    return code_ == "connection-lost" || code_ == "no-answer";
}

const Bytes& Value::bytes() const {
    if (const auto* bytes = std::get_if<Bytes>(&content_)) {
        return *bytes;
    }
    throw P4Error("not-bytes", "This value is JSON, not bytes.");
}

const Json& Value::json() const {
    if (const auto* json = std::get_if<Json>(&content_)) {
        return *json;
    }
    throw P4Error("not-json", "This value is bytes, not JSON.");
}

const std::string& Value::text() const {
    if (const auto* json = std::get_if<Json>(&content_); json != nullptr && json->is_string()) {
        return json->get_ref<const std::string&>();
    }
    throw P4Error("not-text", "This value is no text.");
}

std::string Value::to_string() const {
    if (const auto* bytes = std::get_if<Bytes>(&content_)) {
        return std::to_string(bytes->size()) + " bytes";
    }
    const auto& json = std::get<Json>(content_);
    return json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace p4

namespace p4::detail {

namespace {

/// Escaped, without what RFC 3986 calls unreserved.
std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    constexpr std::string_view plain = "-._~";
    std::string result;
    for (const char character : text) {
        const auto code = static_cast<unsigned char>(character);
        const bool letter = code < 0x80 && std::isalnum(code) != 0; // NOLINT(readability-magic-numbers): ASCII
        if (letter || plain.find(character) != std::string_view::npos) {
            result += character;
        } else {
            result += '%';
            result += digits[code / digits.size()];
            result += digits[code % digits.size()];
        }
    }
    return result;
}

} // namespace

Json parse(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    auto parsed = Json::parse(text, nullptr, false);
    if (parsed.is_discarded()) {
        throw bad_answer();
    }
    return parsed;
}

std::string text_of_json(const Json& json) {
    try {
        return json.dump();
    } catch (const nlohmann::json::exception&) {
        throw P4Error("bad-value", "This value cannot be written as JSON: it holds text that is not UTF-8. Nothing was "
                                   "sent.");
    }
}

std::string path_part(std::string_view part) {
    if (part.empty() || part == "." || part == ".." || part.find('/') != std::string_view::npos) {
        // Servers take %2F for a slash, and look for another route.
        throw P4Error("bad-name", "'" + std::string(part) +
                                      "' cannot name anything. Nothing was done. For a contact "
                                      "with such a name use the beginning of its id.");
    }
    return escaped(part);
}

std::string query(std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
    std::string result;
    for (const auto& [name, value] : parameters) {
        if (!value.empty()) {
            result += result.empty() ? '?' : '&';
            result.append(name).append("=").append(escaped(value));
        }
    }
    return result;
}

P4Error error_of_object(const Json& entry, int status) {
    auto data = entry.value("data", Json());
    if (!data.is_object()) {
        data = Json::object();
    }
    return {member_text(entry, "code"), member_text(entry, "message"), std::move(data), status};
}

P4Error error_of_answer(int status, std::string_view body) {
    const auto answer = Json::parse(body, nullptr, false);
    if (answer.is_object()) {
        if (const auto entry = answer.find("error");
            entry != answer.end() && !member_text(*entry, "code").empty() && !member_text(*entry, "message").empty()) {
            return error_of_object(*entry, status);
        }
    }
    return {"status-" + std::to_string(status),
            "The daemon answered with status " + std::to_string(status) +
                " and without a reason. What was accepted before is safe. Look into its log: p4 log",
            Json::object(), status};
}

P4Error bad_answer() {
    return {"bad-answer", "The daemon's answer has another form than expected. Perhaps it is of another version: p4 "
                          "version"};
}

P4Error no_daemon(std::string_view where) {
    return {"no-daemon",
            "No P4 daemon answers for " + std::string(where) + ". Nothing was done. Start it: p4 up --detach"};
}

P4Error connection_lost() {
    return {"connection-lost",
            "The daemon ended while it worked on this. It may have been done: look before you repeat it."};
}

P4Error closed_error() {
    return {"closed", "This has been closed. Nothing was done."};
}

std::size_t put(const Value& value, Json& body) {
    constexpr std::size_t around = 32;
    std::string text;
    if (value.is_bytes()) {
        text = core::to_base64(value.bytes());
        const auto size = text.size();
        body["base64"] = std::move(text);
        return size + around;
    }
    const auto size = text_of_json(value.json()).size();
    body["value"] = value.json();
    return size + around;
}

Value value_of(const Json& entry) {
    if (const auto encoded = entry.find("base64"); encoded != entry.end() && encoded->is_string()) {
        return core::from_base64(encoded->get_ref<const std::string&>());
    }
    if (const auto json = entry.find("value"); json != entry.end()) {
        return *json;
    }
    const auto problem = member_text(entry, "problem");
    throw P4Error("bad-body", problem.empty() ? "It has neither a JSON value nor bytes." : problem);
}

std::string member_text(const Json& object, std::string_view name) {
    if (object.is_object()) {
        if (const auto found = object.find(name); found != object.end() && found->is_string()) {
            return found->get<std::string>();
        }
    }
    return {};
}

std::uint64_t member_number(const Json& object, std::string_view name) {
    if (object.is_object()) {
        if (const auto found = object.find(name); found != object.end() && found->is_number_unsigned()) {
            return found->get<std::uint64_t>();
        }
    }
    return 0;
}

} // namespace p4::detail

/// @file
/// The one exception of this library.
#pragma once

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace p4 {

/// A JSON value. Keys of objects are in alphabetical order.
using Json = nlohmann::json;

/// Everything that can go wrong: what the daemon says, what is wrong on the way to it, and what is refused here.
///
/// Programs look at code(); a person reads message(). Codes of the way to the daemon are `no-daemon` (none answers;
/// nothing was done), `connection-lost` (it ended while it worked on this, which may have been done), `no-answer` (it
/// took too long) and `closed` (the client was closed). All others are those of spec/daemon-api and of the
/// specification.
class P4Error : public std::runtime_error {
public:
    /// @param code short, stable reason in kebab-case
    /// @param message sentences for a person
    /// @param data what else is known, an object
    /// @param status HTTP status of the answer, 0 if it was none
    P4Error(std::string code, const std::string& message, Json data = Json::object(), int status = 0);

    /// The reason, for programs: short and stable, such as `name-taken`.
    [[nodiscard]] const std::string& code() const noexcept { return code_; }

    /// What happened, what is safe and what to do, for a person. Never holds a secret.
    [[nodiscard]] std::string_view message() const noexcept { return what(); }

    /// What else is known, an object: for example `may_have_run`, or `data` of a failed call.
    [[nodiscard]] const Json& data() const noexcept { return data_; }

    /// The class of the error in the daemon, such as `ContactError`; empty if it was found here.
    [[nodiscard]] std::string type() const;

    /// The HTTP status of the daemon's answer; 0 if the error was found here.
    [[nodiscard]] int status() const noexcept { return status_; }

    /// Whether what was asked may have been done all the same. If not, it is safe to ask again.
    [[nodiscard]] bool may_have_run() const;

private:
    std::string code_;
    Json data_;
    int status_;
};

} // namespace p4

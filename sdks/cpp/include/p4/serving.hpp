/// @file
/// Answering the calls of contacts.
#pragma once

#include <p4/events.hpp>
#include <p4/records.hpp>

#include <functional>
#include <stop_token>

namespace p4 {

namespace detail {
class ServingLink;
} // namespace detail

/// What a handler throws to tell the caller why there is no result: it reaches the caller as it is. Any other exception
/// becomes `internal`, and its text stays here.
class CallFailure : public P4Error {
public:
    /// @param code for the caller's program
    /// @param message for a person
    /// @param data any JSON value
    CallFailure(std::string code, const std::string& message, const Json& data = nullptr)
        : P4Error(std::move(code), message, {{"type", "CallFailed"}, {"data", data}}) {}
};

/// A contact asks.
struct IncomingCall {
    ContactName contact;       ///< who
    std::string service;       ///< which one was meant, of those that the handler serves
    Value argument;            ///< JSON or bytes
    double remaining = 0;      ///< seconds until the caller gave up, when the call arrived
    std::stop_token cancelled; ///< told when nobody waits any more
};

/// Gives the result of a call; several run at the same time, each on a thread of its own.
using CallHandler = std::function<Value(const IncomingCall&)>;

/// Answers calls until it is closed, also after restarts of the daemon. Moved, not copied. The destructor closes it and
/// waits until no handler runs any more.
class Serving {
public:
    Serving(Serving&&) noexcept;
    Serving& operator=(Serving&&) noexcept;
    ~Serving();

    /// Answers no more; calls under way fail with `gone` at their callers. Does not wait for handlers, so a handler may
    /// call it.
    void close() noexcept;

    /// Why calls are not answered any more, although nobody closed it: for example `already-served`, when another
    /// program took the service while the daemon restarted. Nothing while they are.
    [[nodiscard]] std::optional<P4Error> problem() const;

private:
    friend class Client;
    Serving(const std::shared_ptr<detail::Connection>& connection, std::string_view service, CallHandler handler);

    std::shared_ptr<detail::ServingLink> link_;
};

} // namespace p4

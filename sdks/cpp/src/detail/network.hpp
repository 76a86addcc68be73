/// HTTP/1.1 and WebSockets to one machine, on a thread of their own. Knows nothing of P4.
#pragma once

#include <p4/value.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace p4::detail {

using Clock = std::chrono::steady_clock;

/// Where one daemon listens.
struct Endpoint {
    std::string unix_path; ///< empty for TCP
    std::string host;
    std::uint16_t port = 0;
    std::string token; ///< empty on a unix socket, whose mode is the permission

    /// For a person; never the token.
    [[nodiscard]] std::string shown() const;

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class Failure {
    not_sent, ///< there was no connection: nothing has come of it
    broken,   ///< it ended: what was asked may have been done
    timeout,  ///< no answer in time
    closed,   ///< by us
};

/// Why there is no answer. Never leaves this library.
struct NetworkError {
    Failure failure;
    std::string reason;
};

struct Request {
    std::string method;
    std::string target;
    std::optional<std::string> body; ///< JSON
    std::chrono::milliseconds timeout{};
};

struct Answer {
    int status = 0;
    std::string body;
};

/// The body of an answer that goes on. One thread reads; any may abort.
class EventBody {
public:
    virtual ~EventBody() = default;
    /// What has come; nothing at the deadline. Throws NetworkError when there is no more.
    virtual std::optional<std::string> read(Clock::time_point deadline) = 0;
    virtual void abort() noexcept = 0;
};

/// What arrives on a WebSocket; called on the network's thread, one after the other, and must not wait there.
class SocketReceiver {
public:
    virtual ~SocketReceiver() = default;
    virtual void text(std::string message) = 0;
    virtual void bytes(Bytes message) = 0;
    /// Nothing more arrives; the code that it was closed with, 1006 if it broke.
    virtual void ended(int code) = 0;
};

/// A WebSocket. Several threads may use it, but not the network's.
class Socket {
public:
    virtual ~Socket() = default;
    /// Waits until the message is with the system. Throws NetworkError.
    virtual void send_text(std::string message) = 0;
    virtual void send_bytes(Bytes message) = 0;
    /// Says that we leave, lets the other side read what was sent, and cuts the connection if it does not.
    virtual void close() noexcept = 0;
    virtual void abort() noexcept = 0;
};

/// An answer of an error, or what was opened.
template <typename Opened>
struct Opening {
    Answer refused; ///< status 0 if it was not
    Opened opened;
};

class Reactor;

/// All connections of a client.
class Network {
public:
    Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    ~Network();

    Answer request(const Endpoint& endpoint, const Request& request);
    Opening<std::unique_ptr<EventBody>> open_events(const Endpoint& endpoint, const std::string& target);
    Opening<std::shared_ptr<Socket>> open_socket(const Endpoint& endpoint, const std::string& target,
                                                 std::shared_ptr<SocketReceiver> receiver);

    /// Ends everything that is under way, and what is begun later.
    void close() noexcept;

    [[nodiscard]] bool on_own_thread() const noexcept;

private:
    std::unique_ptr<Reactor> reactor_;
};

} // namespace p4::detail

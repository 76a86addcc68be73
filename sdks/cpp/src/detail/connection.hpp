/// Requests to one daemon, wherever it is at the moment. Goes on by itself when the daemon restarts.
#pragma once

#include "json.hpp"
#include "network.hpp"
#include "workers.hpp"

#include <p4/client.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace p4::detail {

/// One attempt of a request that has no deadline of its own.
inline constexpr std::chrono::seconds answer_patience{60};
/// Before a connection that broke is opened again.
inline constexpr std::chrono::milliseconds first_pause{50};

/// What the daemon of a state directory has written about itself; it may have been killed since.
/// @throws P4Error `no-daemon`
Endpoint find_endpoint(const std::filesystem::path& state_directory);

/// An address that was given. @throws P4Error `bad-endpoint`
Endpoint fixed_endpoint(std::string_view url, std::string_view token);

/// Somebody's patience is over before the daemon is back. Never leaves this library.
struct OutOfTime {};

/// How a request is sent.
struct Sending {
    std::optional<Json> body;
    /// Whether it may reach the daemon twice, if that restarts; by default as its method has it (RFC 9110, 9.2.2).
    std::optional<bool> repeatable;
    Duration timeout = answer_patience;
};

class Connection {
public:
    /// The last who uses it may be one of its own threads; then another one ends it.
    static std::shared_ptr<Connection> make(const ClientOptions& options);

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// The JSON of the answer; null for an empty one.
    Json request(std::string_view method, std::string_view path, Sending sending = {});
    std::string text_request(std::string_view method, std::string_view path, Sending sending = {});

    /// As request(), of what may be sent twice.
    Json repeat(std::string_view method, std::string_view path, Json body) {
        return request(method, path, {.body = std::move(body), .repeatable = true, .timeout = answer_patience});
    }
    Json post(std::string_view path, Json body) {
        return request("POST", path, {.body = std::move(body), .repeatable = false, .timeout = answer_patience});
    }

    /// One attempt after the other, with pauses, until the daemon has been away for too long.
    class Attempts {
    public:
        explicit Attempts(Connection& connection);

        /// Until when somebody waits, if that is sooner; then it throws OutOfTime, and another may go on later.
        void until(Clock::time_point patience) noexcept { patience_ = patience; }

        /// Where the daemon should be. @throws P4Error
        Endpoint next();
        /// It was not there.
        void failed();
        /// Whether a token that was refused is worth another attempt.
        bool again(int status);

    private:
        void pause(const P4Error* error);

        Connection& connection_;
        Clock::time_point deadline_;
        Clock::time_point patience_ = Clock::time_point::max();
        std::chrono::milliseconds pause_ = first_pause;
        int refused_ = 0;
        std::optional<Endpoint> last_;
    };

    std::unique_ptr<EventBody> open_events(const std::string& path, Attempts& attempts);
    std::shared_ptr<Socket> open_socket(const std::string& path, const std::shared_ptr<SocketReceiver>& receiver);

    Workers& workers() noexcept { return workers_; }
    void close() noexcept;
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }

    /// @throws P4Error `closed`
    void sleep_until(Clock::time_point moment);

private:
    explicit Connection(const ClientOptions& options);
    ~Connection() = default;

    Endpoint find() const { return fixed_ ? *fixed_ : find_endpoint(directory_); }
    Endpoint current();
    void forget();
    template <typename Opened, typename Open>
    Opened open(Attempts& attempts, const Open& once);

    std::filesystem::path directory_;
    std::optional<Endpoint> fixed_;
    Duration restart_;
    std::atomic<bool> reached_{false};
    std::atomic<bool> closed_{false};
    std::mutex mutex_;
    std::condition_variable closing_;
    std::optional<Endpoint> endpoint_;
    Network network_;
    Workers workers_; // ends first: its tasks use the network
};

} // namespace p4::detail

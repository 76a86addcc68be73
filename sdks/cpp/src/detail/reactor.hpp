/// What the parts of the network share: Asio's context, its thread, and the connections that are open. Included by the
/// network's own files only; everything else of the library is free of Asio.
#pragma once

#include "network.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace p4::detail {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

using Connected = beast::basic_stream<asio::generic::stream_protocol>;

/// A daemon that listens accepts at once.
inline constexpr std::chrono::seconds connect_patience{5};
/// A daemon that lives says something on every stream of events, and answers pings, within this time.
inline constexpr std::chrono::seconds silence{60};

/// A connection and what was read of it too early.
struct Wire {
    explicit Wire(asio::io_context& context) : stream(context) {}

    Connected stream;
    beast::flat_buffer buffer;
};

/// How one connection that is open can be cut; called on the network's thread.
class Cuttable {
public:
    virtual ~Cuttable() = default;
    virtual void cut() noexcept = 0;
};

class Reactor {
public:
    Reactor();
    ~Reactor();

    /// Runs a coroutine on the network's thread, and waits for it.
    template <typename Result>
    Result run(asio::awaitable<Result> work) {
        try {
            return asio::co_spawn(context, std::move(work), asio::use_future).get();
        } catch (const boost::system::system_error& error) {
            throw NetworkError{closed ? Failure::closed : Failure::broken, error.code().message()};
        }
    }

    /// A connection to an endpoint. Throws NetworkError.
    asio::awaitable<std::shared_ptr<Wire>> connect(Endpoint endpoint);

    /// One that is idle, if there is; else as connect().
    asio::awaitable<std::shared_ptr<Wire>> take(Endpoint endpoint);
    void keep(const Endpoint& endpoint, std::shared_ptr<Wire> wire);

    asio::awaitable<Answer> exchange(Endpoint endpoint, Request request);

    /// From now on it is cut when the client is closed; at once if it is.
    void enter(Cuttable& open) {
        opened_.insert(&open);
        if (closed) {
            open.cut();
        }
    }
    void leave(Cuttable& open) noexcept { opened_.erase(&open); }
    void close() noexcept;

    asio::io_context context{1};
    std::thread::id own;
    std::atomic<bool> closed{false};

private:
    struct Idle {
        Endpoint endpoint;
        std::shared_ptr<Wire> wire;
        Clock::time_point since;
    };

    asio::executor_work_guard<asio::io_context::executor_type> guard_{context.get_executor()};
    std::set<Cuttable*> opened_;
    std::vector<Idle> idle_;
    std::thread thread_;
};

/// Cuts a connection when the client is closed, as long as this lives on the network's thread.
class CutWire final : public Cuttable {
public:
    CutWire(Reactor& reactor, std::shared_ptr<Wire> wire);
    CutWire(const CutWire&) = delete;
    CutWire& operator=(const CutWire&) = delete;
    ~CutWire() override;
    void cut() noexcept override;

private:
    Reactor& reactor_;
    std::shared_ptr<Wire> wire_;
};

/// The head of a request.
http::request<http::string_body> message_for(const Endpoint& endpoint, const Request& request);

std::unique_ptr<EventBody> make_event_body(Reactor& reactor, std::shared_ptr<Wire> wire);

} // namespace p4::detail

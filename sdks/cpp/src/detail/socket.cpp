#include "reactor.hpp"

#include <boost/asio/post.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>

namespace p4::detail {

namespace {

namespace websocket = beast::websocket;

constexpr int broken_code = 1006;
/// A stream's largest messages are 256 KiB, a call's value 1 MiB in base64.
constexpr std::size_t message_bytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds close_patience{5};

class OpenSocket final : public Cuttable, public std::enable_shared_from_this<OpenSocket> {
public:
    OpenSocket(Reactor& reactor, Wire& wire, std::shared_ptr<SocketReceiver> receiver)
        : reactor_(reactor), stream(std::move(wire.stream)), receiver_(std::move(receiver)) {
        stream.read_message_max(message_bytes);
    }

    asio::awaitable<void> run(std::shared_ptr<OpenSocket> self) {
        reactor_.enter(*self);
        int code = broken_code;
        beast::flat_buffer buffer;
        boost::system::error_code problem;
        while (!problem) {
            co_await stream.async_read(buffer, asio::redirect_error(asio::use_awaitable, problem));
            if (!problem) {
                receive(buffer);
            }
        }
        if (problem == websocket::error::closed && stream.reason().code != websocket::close_code::none) {
            code = stream.reason().code;
        }
        reactor_.leave(*self);
        beast::get_lowest_layer(stream).close();
        fail_unsent();
        auto receiver = std::exchange(receiver_, nullptr);
        receiver->ended(code);
        receiver.reset();
        const std::scoped_lock lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

    void send(bool binary, std::string message) {
        auto sent = std::make_shared<std::promise<void>>();
        auto done = sent->get_future();
        asio::post(reactor_.context, [self = shared_from_this(), binary, message = std::move(message), sent]() mutable {
            self->queue_.push_back({binary, std::move(message), std::move(sent)});
            if (!self->writing_) {
                self->writing_ = true;
                asio::co_spawn(self->reactor_.context, self->write(self), asio::detached);
            }
        });
        done.get();
    }

    void close() noexcept {
        asio::post(reactor_.context, [self = shared_from_this()] {
            self->leaving_ = true;
            if (!self->writing_) {
                self->say_goodbye();
            }
        });
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, close_patience, [this] { return ended_; });
        }
        abort();
    }

    void abort() noexcept {
        asio::post(reactor_.context, [self = shared_from_this()] { self->cut(); });
    }

    void cut() noexcept override { beast::get_lowest_layer(stream).close(); }

private:
    struct Outgoing {
        bool binary;
        std::string message;
        std::shared_ptr<std::promise<void>> sent;
    };

    void receive(beast::flat_buffer& buffer) {
        const auto* data = static_cast<const char*>(buffer.cdata().data());
        const std::string_view message(data, buffer.size());
        if (stream.got_text()) {
            receiver_->text(std::string(message));
        } else {
            const auto bytes = bytes_of(message);
            receiver_->bytes(Bytes(bytes.begin(), bytes.end()));
        }
        buffer.consume(buffer.size());
    }

    asio::awaitable<void> write(std::shared_ptr<OpenSocket> self) {
        while (!queue_.empty()) {
            Outgoing next = std::move(queue_.front());
            queue_.pop_front();
            boost::system::error_code problem;
            stream.binary(next.binary);
            co_await stream.async_write(asio::buffer(next.message), asio::redirect_error(asio::use_awaitable, problem));
            if (problem) {
                fail(next, problem.message());
            } else {
                next.sent->set_value();
            }
        }
        writing_ = false;
        if (leaving_) {
            self->say_goodbye();
        }
    }

    void say_goodbye() {
        if (std::exchange(said_goodbye_, true)) {
            return;
        }
        stream.async_close(websocket::close_code::normal, [self = shared_from_this()](boost::system::error_code) {});
    }

    void fail(Outgoing& one, std::string why) const {
        const auto failure = reactor_.closed ? Failure::closed : Failure::broken;
        one.sent->set_exception(std::make_exception_ptr(NetworkError{failure, std::move(why)}));
    }

    void fail_unsent() {
        for (auto& one : queue_) {
            fail(one, "the connection ended");
        }
        queue_.clear();
    }

    Reactor& reactor_;

public:
    websocket::stream<Connected> stream;

private:
    std::shared_ptr<SocketReceiver> receiver_;
    std::deque<Outgoing> queue_;
    bool writing_ = false;
    bool leaving_ = false;
    bool said_goodbye_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
};

class SocketHandle final : public Socket {
public:
    explicit SocketHandle(std::shared_ptr<OpenSocket> socket) : socket_(std::move(socket)) {}
    SocketHandle(const SocketHandle&) = delete;
    SocketHandle& operator=(const SocketHandle&) = delete;
    ~SocketHandle() override { socket_->abort(); }

    void send_text(std::string message) override { socket_->send(false, std::move(message)); }
    void send_bytes(Bytes message) override { socket_->send(true, text_of(message)); }
    void close() noexcept override { socket_->close(); }
    void abort() noexcept override { socket_->abort(); }

private:
    std::shared_ptr<OpenSocket> socket_;
};

using OpenedSocket = Opening<std::shared_ptr<Socket>>;

asio::awaitable<OpenedSocket> open_websocket(Reactor& reactor, Endpoint endpoint, std::string target,
                                             std::shared_ptr<SocketReceiver> receiver) {
    auto wire = co_await reactor.connect(endpoint);
    const auto message = message_for(endpoint, {.method = "GET", .target = target, .body = {}, .timeout = silence});
    wire->stream.expires_never();
    auto socket = std::make_shared<OpenSocket>(reactor, *wire, std::move(receiver));
    auto& stream = socket->stream;
    stream.set_option(websocket::stream_base::timeout{
        .handshake_timeout = silence, .idle_timeout = silence, .keep_alive_pings = true});
    stream.set_option(websocket::stream_base::decorator([token = message[http::field::authorization]](auto& request) {
        if (!token.empty()) {
            request.set(http::field::authorization, token);
        }
    }));
    OpenedSocket result;
    websocket::response_type response;
    boost::system::error_code problem;
    reactor.enter(*socket);
    co_await stream.async_handshake(response, std::string(message[http::field::host]), target,
                                    asio::redirect_error(asio::use_awaitable, problem));
    reactor.leave(*socket);
    if (problem == websocket::error::upgrade_declined) {
        result.refused = {static_cast<int>(response.result_int()), std::move(response.body())};
    } else if (problem) {
        const auto failure = problem == beast::error::timeout ? Failure::timeout : Failure::broken;
        throw NetworkError{reactor.closed ? Failure::closed : failure, problem.message()};
    } else {
        asio::co_spawn(reactor.context, socket->run(socket), asio::detached);
        result.opened = std::make_shared<SocketHandle>(std::move(socket));
    }
    co_return result;
}

} // namespace

Opening<std::shared_ptr<Socket>> Network::open_socket(const Endpoint& endpoint, const std::string& target,
                                                      std::shared_ptr<SocketReceiver> receiver) {
    return reactor_->run(open_websocket(*reactor_, endpoint, target, std::move(receiver)));
}

} // namespace p4::detail

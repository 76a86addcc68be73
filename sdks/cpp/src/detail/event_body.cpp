#include "reactor.hpp"

#include <boost/asio/post.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <condition_variable>
#include <mutex>

namespace p4::detail {

namespace {

/// So much may wait for a reader; then nothing more is read of the connection.
constexpr std::size_t waiting_bytes = 4 * 1024 * 1024;
constexpr std::size_t piece_bytes = 64 * 1024;

using Parser = http::response_parser<http::buffer_body>;

/// What the network's thread and the reader share.
class Feed final : public Cuttable, public std::enable_shared_from_this<Feed> {
public:
    Feed(Reactor& reactor, std::shared_ptr<Wire> wire)
        : reactor_(reactor), wire_(std::move(wire)), resumed_(reactor.context, Clock::time_point::max()) {
        parser.body_limit(boost::none);
    }

    asio::awaitable<void> run(std::shared_ptr<Feed> self) {
        reactor_.enter(*self);
        std::string why = "the connection ended";
        try {
            while (!parser.is_done()) {
                co_await read_piece();
                co_await wait_for_room();
            }
        } catch (const boost::system::system_error& error) {
            why = error.code().message();
        }
        reactor_.leave(*self);
        const std::scoped_lock lock(mutex_);
        ended_ = why;
        changed_.notify_all();
    }

    /// Reads what there is of the body.
    asio::awaitable<std::string> piece() {
        std::string room(piece_bytes, '\0');
        auto& body = parser.get().body();
        body.data = room.data();
        body.size = room.size();
        boost::system::error_code problem;
        wire_->stream.expires_after(silence);
        co_await http::async_read_some(wire_->stream, wire_->buffer, parser,
                                       asio::redirect_error(asio::use_awaitable, problem));
        if (problem && problem != http::error::need_buffer) {
            throw boost::system::system_error(problem);
        }
        room.resize(room.size() - body.size);
        co_return room;
    }

    std::optional<std::string> take(Clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline, [this] { return !waiting_.empty() || ended_; });
        if (!waiting_.empty()) {
            asio::post(reactor_.context, [self = shared_from_this()] { self->resumed_.cancel(); });
            return std::exchange(waiting_, {});
        }
        if (ended_) {
            throw NetworkError{reactor_.closed ? Failure::closed : Failure::broken, *ended_};
        }
        return std::nullopt;
    }

    void abort() {
        asio::post(reactor_.context, [self = shared_from_this()] { self->cut(); });
    }

    void cut() noexcept override {
        cut_ = true;
        wire_->stream.close();
        resumed_.cancel();
    }

    Parser parser;

private:
    asio::awaitable<void> read_piece() {
        const auto read = co_await piece();
        if (!read.empty()) {
            const std::scoped_lock lock(mutex_);
            waiting_ += read;
            changed_.notify_all();
        }
    }

    asio::awaitable<void> wait_for_room() {
        while (!cut_ && is_full()) {
            boost::system::error_code cancelled;
            resumed_.expires_at(Clock::time_point::max());
            co_await resumed_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
        }
    }

    bool is_full() {
        const std::scoped_lock lock(mutex_);
        return waiting_.size() >= waiting_bytes;
    }

    Reactor& reactor_;
    std::shared_ptr<Wire> wire_;
    asio::steady_timer resumed_;
    bool cut_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string waiting_;
    std::optional<std::string> ended_;
};

class OpenBody final : public EventBody {
public:
    explicit OpenBody(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) {}
    OpenBody(const OpenBody&) = delete;
    OpenBody& operator=(const OpenBody&) = delete;
    ~OpenBody() override { feed_->abort(); }

    std::optional<std::string> read(Clock::time_point deadline) override { return feed_->take(deadline); }
    void abort() noexcept override { feed_->abort(); }

private:
    std::shared_ptr<Feed> feed_;
};

using OpenedBody = Opening<std::unique_ptr<EventBody>>;

asio::awaitable<OpenedBody> open_body(Reactor& reactor, Endpoint endpoint, std::string target) {
    auto wire = co_await reactor.connect(endpoint);
    const CutWire cuttable(reactor, wire);
    auto message =
        message_for(endpoint, {.method = "GET", .target = std::move(target), .body = {}, .timeout = silence});
    message.set(http::field::accept, "text/event-stream");
    auto feed = std::make_shared<Feed>(reactor, wire);
    OpenedBody result;
    boost::system::error_code problem;
    wire->stream.expires_after(silence);
    co_await http::async_write(wire->stream, message, asio::redirect_error(asio::use_awaitable, problem));
    if (!problem) {
        co_await http::async_read_header(wire->stream, wire->buffer, feed->parser,
                                         asio::redirect_error(asio::use_awaitable, problem));
    }
    if (problem) {
        const auto failure = problem == beast::error::timeout ? Failure::timeout : Failure::broken;
        throw NetworkError{reactor.closed ? Failure::closed : failure, problem.message()};
    }
    const int status = static_cast<int>(feed->parser.get().result_int());
    if (status == 200) { // NOLINT(readability-magic-numbers): OK
        asio::co_spawn(reactor.context, feed->run(feed), asio::detached);
        result.opened = std::make_unique<OpenBody>(feed);
        co_return result;
    }
    result.refused.status = status;
    while (!feed->parser.is_done()) {
        const auto piece = co_await feed->piece();
        result.refused.body += piece;
    }
    co_return result;
}

} // namespace

Opening<std::unique_ptr<EventBody>> Network::open_events(const Endpoint& endpoint, const std::string& target) {
    return reactor_->run(open_body(*reactor_, endpoint, target));
}

} // namespace p4::detail

#include "reactor.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace p4::detail {

namespace {

constexpr std::uint64_t answer_bytes = 64 * 1024 * 1024;
/// The daemon keeps idle connections for 65 s; ones that are older than this are not used again.
constexpr std::chrono::seconds idle_patience{30};
constexpr std::size_t idle_connections = 8;

asio::generic::stream_protocol::endpoint address_of(const Endpoint& endpoint) {
    if (!endpoint.unix_path.empty()) {
#if defined(BOOST_ASIO_HAS_LOCAL_SOCKETS)
        return asio::local::stream_protocol::endpoint(endpoint.unix_path);
#else
        throw NetworkError{Failure::not_sent, "there are no unix sockets"};
#endif
    }
    boost::system::error_code problem;
    const auto address = asio::ip::make_address(endpoint.host, problem);
    if (problem) {
        throw NetworkError{Failure::not_sent, problem.message()};
    }
    return asio::ip::tcp::endpoint(address, endpoint.port);
}

/// Whether an idle connection can be used: one that the daemon has closed has something to read, its end.
bool is_alive(Wire& wire) {
    auto& socket = wire.stream.socket();
    boost::system::error_code problem;
    char byte = 0;
    socket.non_blocking(true, problem);
    if (!problem) {
        socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, problem);
    }
    return problem == asio::error::would_block;
}

} // namespace

std::string Endpoint::shown() const {
    return unix_path.empty() ? "http://" + host + ":" + std::to_string(port) : unix_path;
}

CutWire::CutWire(Reactor& reactor, std::shared_ptr<Wire> wire) : reactor_(reactor), wire_(std::move(wire)) {
    reactor_.enter(*this);
}

CutWire::~CutWire() {
    reactor_.leave(*this);
}

void CutWire::cut() noexcept {
    wire_->stream.close();
}

http::request<http::string_body> message_for(const Endpoint& endpoint, const Request& request) {
    http::request<http::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.version(11);
    const auto host =
        endpoint.unix_path.empty() ? endpoint.host + ":" + std::to_string(endpoint.port) : std::string("localhost");
    message.set(http::field::host, host);
    if (!endpoint.token.empty()) {
        message.set(http::field::authorization, "Bearer " + endpoint.token);
    }
    if (request.body) {
        message.set(http::field::content_type, "application/json");
        message.body() = *request.body;
    }
    message.prepare_payload();
    return message;
}

Reactor::Reactor() : thread_([this] { context.run(); }) {
    own = thread_.get_id();
}

Reactor::~Reactor() {
    close();
    guard_.reset();
    thread_.join();
}

void Reactor::close() noexcept {
    if (closed.exchange(true)) {
        return;
    }
    asio::post(context, [this] {
        for (Cuttable* open : std::set(opened_)) {
            open->cut();
        }
        idle_.clear();
    });
}

asio::awaitable<std::shared_ptr<Wire>> Reactor::connect(Endpoint endpoint) {
    if (closed) {
        throw NetworkError{Failure::closed, "closed"};
    }
    auto wire = std::make_shared<Wire>(context);
    const CutWire cuttable(*this, wire);
    boost::system::error_code problem;
    wire->stream.expires_after(connect_patience);
    co_await wire->stream.async_connect(address_of(endpoint), asio::redirect_error(asio::use_awaitable, problem));
    if (problem) {
        throw NetworkError{closed ? Failure::closed : Failure::not_sent, problem.message()};
    }
    if (endpoint.unix_path.empty()) {
        wire->stream.socket().set_option(asio::ip::tcp::no_delay(true), problem);
    }
    co_return wire;
}

asio::awaitable<std::shared_ptr<Wire>> Reactor::take(Endpoint endpoint) {
    const auto oldest = Clock::now() - idle_patience;
    std::erase_if(idle_, [&](const Idle& one) { return one.since < oldest || one.endpoint != endpoint; });
    while (!idle_.empty()) {
        auto wire = std::move(idle_.back().wire);
        idle_.pop_back();
        if (is_alive(*wire)) {
            co_return wire;
        }
    }
    auto connected = co_await connect(std::move(endpoint));
    co_return connected;
}

void Reactor::keep(const Endpoint& endpoint, std::shared_ptr<Wire> wire) {
    if (!closed && idle_.size() < idle_connections && wire->buffer.size() == 0) {
        wire->stream.expires_never();
        idle_.push_back({endpoint, std::move(wire), Clock::now()});
    }
}

asio::awaitable<Answer> Reactor::exchange(Endpoint endpoint, Request request) {
    auto wire = co_await take(endpoint);
    const CutWire cuttable(*this, wire);
    const auto message = message_for(endpoint, request);
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_bytes);
    boost::system::error_code problem;
    wire->stream.expires_after(request.timeout);
    co_await http::async_write(wire->stream, message, asio::redirect_error(asio::use_awaitable, problem));
    // A daemon that refuses a body may answer before it has read it, and end the connection.
    boost::system::error_code unread;
    co_await http::async_read(wire->stream, wire->buffer, parser, asio::redirect_error(asio::use_awaitable, unread));
    if (unread) {
        const auto& first = problem ? problem : unread;
        const auto failure = closed                           ? Failure::closed
                             : first == beast::error::timeout ? Failure::timeout
                                                              : Failure::broken;
        throw NetworkError{failure, first.message()};
    }
    auto response = parser.release();
    if (!problem && response.keep_alive()) {
        keep(endpoint, std::move(wire));
    }
    co_return Answer{static_cast<int>(response.result_int()), std::move(response.body())};
}

Network::Network() : reactor_(std::make_unique<Reactor>()) {}

Network::~Network() = default;

void Network::close() noexcept {
    reactor_->close();
}

bool Network::on_own_thread() const noexcept {
    return std::this_thread::get_id() == reactor_->own;
}

Answer Network::request(const Endpoint& endpoint, const Request& request) {
    return reactor_->run(reactor_->exchange(endpoint, request));
}

} // namespace p4::detail

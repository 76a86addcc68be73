#include "connection.hpp"

#include "platform.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <thread>

namespace p4::detail {

namespace {

constexpr std::chrono::milliseconds longest_pause{2000};
/// A token that is refused may be that of the daemon before; the new one writes its own in a moment.
constexpr int refused_tokens = 4;
constexpr std::size_t endpoint_bytes = 64 * 1024;

std::filesystem::path default_directory() {
    const auto home = home_directory();
    if (!home) {
        throw no_daemon("this user, who has no home directory");
    }
    return *home / ".p4";
}

std::string shown(const std::filesystem::path& path) {
    const auto text = path.u8string();
    return {text.begin(), text.end()};
}

bool is_repeatable(std::string_view method) {
    constexpr std::array<std::string_view, 4> methods{"GET", "HEAD", "PUT", "DELETE"};
    return std::find(methods.begin(), methods.end(), method) != methods.end();
}

} // namespace

Endpoint find_endpoint(const std::filesystem::path& state_directory) {
    std::ifstream file(state_directory / "daemon" / "endpoint.json", std::ios::binary);
    std::string text(endpoint_bytes, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    const auto entry = Json::parse(text, nullptr, false);
    const auto port = member_number(entry, "port");
#ifndef _WIN32
    if (auto path = member_text(entry, "unix_path"); !path.empty()) {
        return {.unix_path = std::move(path), .host = {}, .port = 0, .token = {}};
    }
#endif
    auto token = member_text(entry, "owner_token");
    if (port == 0 || port > std::numeric_limits<std::uint16_t>::max() || token.empty()) {
        throw no_daemon(shown(state_directory));
    }
    return {.unix_path = {}, .host = "127.0.0.1", .port = static_cast<std::uint16_t>(port), .token = std::move(token)};
}

Endpoint fixed_endpoint(std::string_view url, std::string_view token) {
    constexpr std::string_view scheme = "http://";
    std::string_view rest = url;
    while (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    const auto colon = rest.rfind(':');
    const bool plain = std::all_of(token.begin(), token.end(), [](char one) { return one > ' ' && one < '\x7f'; });
    if (rest.starts_with(scheme) && colon != std::string_view::npos && colon > scheme.size() && plain) {
        auto host = std::string(rest.substr(scheme.size(), colon - scheme.size()));
        host = host == "localhost" ? "127.0.0.1" : host;
        std::uint16_t port = 0;
        const auto* end = rest.data() + rest.size();
        const auto [stopped, problem] = std::from_chars(rest.data() + colon + 1, end, port);
        if (problem == std::errc() && stopped == end && port != 0) {
            return {.unix_path = {}, .host = std::move(host), .port = port, .token = std::string(token)};
        }
    }
    throw P4Error("bad-endpoint",
                  "The daemon's address is http://127.0.0.1:PORT, and a token is plain text. Nothing was done.");
}

std::shared_ptr<Connection> Connection::make(const ClientOptions& options) {
    return {new Connection(options), [](Connection* connection) {
                connection->close();
                if (connection->network_.on_own_thread() || connection->workers_.on_own_thread()) {
                    std::thread([connection] { delete connection; }).detach();
                } else {
                    delete connection;
                }
            }};
}

Connection::Connection(const ClientOptions& options) : restart_(options.restart) {
    if (!options.url.empty()) {
        fixed_ = fixed_endpoint(options.url, options.token);
    } else {
        directory_ = options.state_directory ? *options.state_directory : default_directory();
    }
}

void Connection::close() noexcept {
    closed_ = true;
    network_.close();
    { const std::scoped_lock lock(mutex_); }
    closing_.notify_all();
}

void Connection::sleep_until(Clock::time_point moment) {
    std::unique_lock lock(mutex_);
    if (closing_.wait_until(lock, moment, [this] { return closed_.load(); })) {
        throw closed_error();
    }
}

Endpoint Connection::current() {
    const std::scoped_lock lock(mutex_);
    if (!endpoint_) {
        endpoint_ = find();
    }
    return *endpoint_;
}

void Connection::forget() {
    const std::scoped_lock lock(mutex_);
    endpoint_.reset();
}

Connection::Attempts::Attempts(Connection& connection)
    : connection_(connection),
      // One that was never there is not restarting: whoever asks is told at once.
      deadline_(Clock::now() + (connection.reached_ ? connection.restart_ : Duration(0))) {}

Endpoint Connection::Attempts::next() {
    while (true) {
        if (connection_.closed_) {
            throw closed_error();
        }
        try {
            last_ = connection_.current();
            return *last_;
        } catch (const P4Error& error) {
            pause(&error);
        }
    }
}

void Connection::Attempts::failed() {
    connection_.forget();
    const auto error = no_daemon(last_ ? last_->shown() : std::string("this user"));
    pause(&error);
}

bool Connection::Attempts::again(int status) {
    constexpr int unauthorized = 401;
    if (status != unauthorized) {
        return false;
    }
    connection_.forget();
    bool same = true; // a daemon that starts replaces the file in a moment
    try {
        same = connection_.find() == last_;
    } catch (const P4Error&) {
        same = true;
    }
    if (same) {
        if (!connection_.reached_ || connection_.fixed_ || ++refused_ >= refused_tokens) {
            return false;
        }
        pause(nullptr);
    }
    return true;
}

void Connection::Attempts::pause(const P4Error* error) {
    const auto end = Clock::now() + pause_;
    if (error != nullptr && end >= deadline_) {
        throw *error; // NOLINT(misc-throw-by-value-catch-by-reference): a copy
    }
    connection_.sleep_until(std::min(end, patience_));
    if (end > patience_) {
        throw OutOfTime{};
    }
    pause_ = std::min(2 * pause_, longest_pause);
}

std::string Connection::text_request(std::string_view method, std::string_view path, Sending sending) {
    const bool repeatable = sending.repeatable.value_or(is_repeatable(method));
    Request request{.method = std::string(method), .target = std::string(path), .body = {}, .timeout = sending.timeout};
    if (sending.body) {
        request.body = text_of_json(*sending.body);
    }
    Attempts attempts(*this);
    while (true) {
        const auto endpoint = attempts.next();
        try {
            auto answer = network_.request(endpoint, request);
            if (answer.status < 400) { // NOLINT(readability-magic-numbers): RFC 9110, section 15
                reached_ = true;
                return std::move(answer.body);
            }
            if (!attempts.again(answer.status)) {
                throw error_of_answer(answer.status, answer.body);
            }
            continue;
        } catch (const NetworkError& error) {
            if (error.failure == Failure::closed) {
                throw closed_error();
            }
            if (error.failure == Failure::timeout) {
                throw P4Error("no-answer", "The daemon did not answer within " +
                                               std::to_string(sending.timeout.count() / 1000) + // NOLINT
                                               " s. It may still do what was asked. Look at how it is: p4 status");
            }
            if (error.failure == Failure::broken && !repeatable) {
                throw connection_lost();
            }
        }
        attempts.failed();
    }
}

Json Connection::request(std::string_view method, std::string_view path, Sending sending) {
    return parse(text_request(method, path, std::move(sending)));
}

template <typename Opened, typename Open>
Opened Connection::open(Attempts& attempts, const Open& once) {
    while (true) {
        const auto endpoint = attempts.next();
        try {
            Opening<Opened> opening = once(endpoint);
            if (opening.opened) {
                reached_ = true;
                return std::move(opening.opened);
            }
            if (!attempts.again(opening.refused.status)) {
                throw error_of_answer(opening.refused.status, opening.refused.body);
            }
            continue;
        } catch (const NetworkError& error) {
            if (error.failure == Failure::closed) {
                throw closed_error();
            }
        }
        attempts.failed();
    }
}

std::unique_ptr<EventBody> Connection::open_events(const std::string& path, Attempts& attempts) {
    return open<std::unique_ptr<EventBody>>(
        attempts, [&](const Endpoint& endpoint) { return network_.open_events(endpoint, path); });
}

std::shared_ptr<Socket> Connection::open_socket(const std::string& path,
                                                const std::shared_ptr<SocketReceiver>& receiver) {
    Attempts attempts(*this);
    return open<std::shared_ptr<Socket>>(
        attempts, [&](const Endpoint& endpoint) { return network_.open_socket(endpoint, path, receiver); });
}

} // namespace p4::detail

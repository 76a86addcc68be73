#include "detail/messenger.hpp"

#include <p4/core.hpp>

#include <deque>

namespace p4 {

namespace detail {

namespace {

/// Datagrams that wait for a slow reader; beyond it the oldest are lost.
constexpr std::size_t most_waiting = 256;

} // namespace

/// Opens itself again when the daemon restarts.
class DatagramLink : public std::enable_shared_from_this<DatagramLink> {
public:
    DatagramLink(std::shared_ptr<Connection> connection, std::string_view service)
        : connection_(std::move(connection)), path_("/v1/datagrams/" + path_part(service)) {}

    void open() {
        auto socket = connection_->open_socket(path_, std::make_shared<Arriving>(weak_from_this()));
        const std::scoped_lock lock(mutex_);
        if (!closed_) {
            socket_ = std::move(socket);
        }
    }

    void send(std::string_view contact, std::span<const std::byte> data) {
        std::shared_ptr<Socket> through;
        {
            const std::scoped_lock lock(mutex_);
            refuse_ended();
            through = socket_;
        }
        try {
            send_word(*through, {{"contact", contact}, {"base64", core::to_base64(data)}});
        } catch (const P4Error& error) {
            if (error.code() != "connection-lost") {
                throw;
            }
            // Lost, as datagrams may be; the next ones go through the next connection.
        }
    }

    std::optional<Datagram> next(Clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        while (arrived_.empty()) {
            refuse_ended();
            if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && arrived_.empty()) {
                return std::nullopt;
            }
        }
        auto datagram = std::move(arrived_.front());
        arrived_.pop_front();
        return datagram;
    }

    void close() noexcept {
        std::shared_ptr<Socket> socket;
        {
            const std::scoped_lock lock(mutex_);
            closed_ = true;
            socket = std::exchange(socket_, nullptr);
            changed_.notify_all();
        }
        if (socket) {
            socket->close();
        }
    }

private:
    class Arriving final : public WordReceiver {
    public:
        explicit Arriving(std::weak_ptr<DatagramLink> link) : link_(std::move(link)) {}

    private:
        void take_word(const Json& word) override {
            const auto link = link_.lock();
            if (link && word.contains("base64")) {
                link->arrive({record<ContactName>(word.value("contact", Json())), value_of(word).bytes()});
            }
        }
        void take_bytes(Bytes) override {} // the daemon sends none here
        void take_end(std::optional<P4Error> error, int) override {
            if (const auto link = link_.lock()) {
                link->ended(std::move(error));
            }
        }

        std::weak_ptr<DatagramLink> link_;
    };

    void arrive(Datagram datagram) {
        const std::scoped_lock lock(mutex_);
        if (arrived_.size() == most_waiting) {
            arrived_.pop_front();
        }
        arrived_.push_back(std::move(datagram));
        changed_.notify_all();
    }

    void ended(std::optional<P4Error> error) {
        const std::scoped_lock lock(mutex_);
        if (error || connection_->is_closed()) {
            error_ = error ? std::move(error) : closed_error();
        } else if (!closed_) {
            connection_->workers().start([self = shared_from_this()] { self->reopen(); });
        }
        changed_.notify_all();
    }

    void reopen() noexcept {
        try {
            connection_->sleep_until(Clock::now() + first_pause);
            open();
        } catch (const P4Error& error) {
            ended(error);
        }
    }

    void refuse_ended() const {
        if (error_) {
            throw P4Error(*error_);
        }
        if (closed_) {
            throw closed_error();
        }
    }

    std::shared_ptr<Connection> connection_;
    std::string path_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<Socket> socket_;
    std::deque<Datagram> arrived_;
    std::optional<P4Error> error_;
    bool closed_ = false;
};

} // namespace detail

Datagrams::Datagrams(const std::shared_ptr<detail::Connection>& connection, std::string_view service)
    : link_(std::make_shared<detail::DatagramLink>(connection, service)) {
    link_->open();
}

Datagrams::Datagrams(Datagrams&&) noexcept = default;

Datagrams& Datagrams::operator=(Datagrams&& other) noexcept {
    std::swap(link_, other.link_);
    return *this;
}

Datagrams::~Datagrams() {
    close();
}

void Datagrams::send(std::string_view contact, std::span<const std::byte> data) {
    link_->send(contact, data);
}

std::optional<Datagram> Datagrams::next(Duration patience) {
    return link_->next(detail::Clock::now() + patience);
}

void Datagrams::close() noexcept {
    if (link_) {
        link_->close();
    }
}

} // namespace p4

#include "detail/messenger.hpp"

#include <map>

namespace p4 {

namespace detail {

namespace {

constexpr std::chrono::seconds reopen_patience{20};
constexpr std::chrono::milliseconds reopen_pause{100};

} // namespace

/// Answers calls over one WebSocket after the other.
class ServingLink : public std::enable_shared_from_this<ServingLink> {
public:
    ServingLink(std::shared_ptr<Connection> connection, std::string_view service, CallHandler handler)
        : connection_(std::move(connection)), path_("/v1/services/" + path_part(service) + "/serve"),
          handler_(std::move(handler)) {}

    /// Returns when calls are taken.
    void begin() {
        open();
        std::unique_lock lock(mutex_);
        const bool answered =
            changed_.wait_for(lock, answer_patience, [this] { return serving_ || problem_ || closed_; });
        if (problem_) {
            throw P4Error(*problem_);
        }
        if (!answered || !serving_) {
            throw P4Error("no-answer", "The daemon does not say that calls are taken.");
        }
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

    void await_handlers() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return running_ == 0; });
    }

    std::optional<P4Error> problem() {
        const std::scoped_lock lock(mutex_);
        return problem_;
    }

private:
    /// One connection, and the calls that came over it.
    class Session final : public WordReceiver, public std::enable_shared_from_this<Session> {
    public:
        explicit Session(std::weak_ptr<ServingLink> link) : link_(std::move(link)) {}

        std::map<std::string, std::stop_source> calls; ///< guarded by the link's mutex

        /// The socket, as soon as it is known. Calls may come before that.
        std::promise<std::shared_ptr<Socket>> opened;
        std::shared_future<std::shared_ptr<Socket>> socket{opened.get_future().share()};

    private:
        void take_word(const Json& word) override {
            if (const auto link = link_.lock()) {
                link->take(shared_from_this(), word);
            }
        }
        void take_bytes(Bytes) override {} // the daemon sends none here
        void take_end(std::optional<P4Error> error, int) override {
            if (const auto link = link_.lock()) {
                link->ended(*this, std::move(error));
            }
        }

        std::weak_ptr<ServingLink> link_;
    };

    void open() {
        const auto session = std::make_shared<Session>(weak_from_this());
        auto socket = connection_->open_socket(path_, session);
        session->opened.set_value(socket);
        bool late = false;
        {
            const std::scoped_lock lock(mutex_);
            late = closed_;
            if (!late) {
                socket_ = socket;
            }
        }
        if (late) {
            socket->close();
        }
    }

    void take(const std::shared_ptr<Session>& session, const Json& word) {
        const auto type = member_text(word, "type");
        auto id = member_text(word, "id");
        const std::scoped_lock lock(mutex_);
        if (type == "serving") {
            serving_ = true;
            changed_.notify_all();
        } else if (type == "cancel") {
            if (const auto found = session->calls.find(id); found != session->calls.end()) {
                found->second.request_stop();
                session->calls.erase(found);
            }
        } else if (type == "call" && !closed_) {
            auto& cancelled = session->calls[id];
            ++running_;
            connection_->workers().start(
                [self = shared_from_this(), session, id, word, token = cancelled.get_token()]() mutable {
                    self->answer(*session, id, word, std::move(token));
                });
        }
    }

    void answer(Session& session, const std::string& id, const Json& word, std::stop_token cancelled) noexcept {
        Json reply{{"id", id}};
        try {
            const IncomingCall call{.contact = record<ContactName>(word.value("contact", Json())),
                                    .service = member_text(word, "service"),
                                    .argument = value_of(word),
                                    .remaining = word.value("remaining", 0.0),
                                    .cancelled = std::move(cancelled)};
            put(handler_(call), reply);
            reply["type"] = "result";
        } catch (const CallFailure& failure) {
            reply.update({{"type", "failed"},
                          {"code", failure.code()},
                          {"message", failure.message()},
                          {"data", failure.data().value("data", Json())}});
        } catch (...) { // a handler is somebody else's program: its bug must not end the service
            reply.update({{"type", "failed"},
                          {"code", "internal"},
                          {"message", "The service failed; its own log knows more."},
                          {"data", nullptr}});
        }
        bool wanted = false;
        {
            const std::scoped_lock lock(mutex_);
            wanted = session.calls.erase(id) > 0;
        }
        if (wanted) {
            try {
                send_word(*session.socket.get(), reply);
            } catch (const P4Error&) { // NOLINT(bugprone-empty-catch)
                // The daemon ended before the call was answered; its caller knows.
            }
        }
        const std::scoped_lock lock(mutex_);
        --running_;
        changed_.notify_all();
    }

    void ended(Session& session, std::optional<P4Error> error) {
        const std::scoped_lock lock(mutex_);
        for (auto& [id, cancelled] : session.calls) {
            cancelled.request_stop();
        }
        session.calls.clear();
        if (error) {
            problem_ = std::move(error);
        } else if (!closed_ && !connection_->is_closed()) {
            connection_->workers().start([self = shared_from_this()] { self->reopen(); });
        }
        changed_.notify_all();
    }

    void reopen() noexcept {
        const auto deadline = Clock::now() + reopen_patience;
        while (true) {
            try {
                connection_->sleep_until(Clock::now() + reopen_pause);
                open();
                return;
            } catch (const P4Error& error) {
                // The daemon may not have noticed yet that our last connection is gone.
                if (error.code() != "already-served" || Clock::now() > deadline) {
                    const std::scoped_lock lock(mutex_);
                    problem_ = error;
                    changed_.notify_all();
                    return;
                }
            }
        }
    }

    std::shared_ptr<Connection> connection_;
    std::string path_;
    CallHandler handler_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<Socket> socket_;
    std::optional<P4Error> problem_;
    std::size_t running_ = 0;
    bool serving_ = false;
    bool closed_ = false;
};

} // namespace detail

Serving::Serving(const std::shared_ptr<detail::Connection>& connection, std::string_view service, CallHandler handler)
    : link_(std::make_shared<detail::ServingLink>(connection, service, std::move(handler))) {
    link_->begin();
}

Serving::Serving(Serving&&) noexcept = default;

Serving& Serving::operator=(Serving&& other) noexcept {
    std::swap(link_, other.link_);
    return *this;
}

Serving::~Serving() {
    if (link_) {
        link_->close();
        link_->await_handlers();
    }
}

void Serving::close() noexcept {
    link_->close();
}

std::optional<P4Error> Serving::problem() const {
    return link_->problem();
}

} // namespace p4

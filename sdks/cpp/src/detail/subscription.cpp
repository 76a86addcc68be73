#include "subscription.hpp"

#include <algorithm>
#include <array>

namespace p4::detail {

namespace {

constexpr std::size_t told_together = 256;
/// Messages remembered as done: what one of several earlier connections left behind is told from what is new.
constexpr std::size_t remembered = std::size_t{32} * 256;
constexpr std::chrono::seconds close_patience{10};
constexpr std::chrono::seconds retry_patience{20};
constexpr std::chrono::milliseconds retry_pause{200};

/// Codes of a daemon that is not ready yet, or is another one than a moment ago.
bool is_starting(std::string_view code) {
    constexpr std::array<std::string_view, 7> codes{"not-running", "overloaded", "bad-token",      "in-use",
                                                    "no-daemon",   "no-answer",  "connection-lost"};
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

} // namespace

SubscriptionState::SubscriptionState(std::shared_ptr<Connection> connection, std::string path, const std::string& query)
    : connection_(std::move(connection)), path_(std::move(path)), feed_(connection_, path_ + query) {}

std::optional<Json> SubscriptionState::next(Clock::time_point deadline) {
    while (true) {
        const auto event = feed_.next(deadline);
        if (!event) {
            return std::nullopt;
        }
        if (event->kind == feed_opened) {
            const Guard guard(mutex_);
            tell(guard); // what could not be told to the daemon before
        } else if (event->kind == "message") {
            auto entry = parse(event->data);
            const auto contact = record<ContactName>(entry.is_object() ? entry.value("contact", Json()) : Json());
            if (is_new({contact.id, member_text(entry, "id")})) {
                return entry;
            }
        }
    }
}

bool SubscriptionState::is_new(const MessageKey& key) {
    const Guard guard(mutex_);
    if (settled_.erase(key) > 0) {
        std::erase(settled_order_, key);
        note(key);
    }
    if (done_.contains(key)) {
        again_.insert(key);
        tell(guard); // the daemon restarted before it had noted it
        return false;
    }
    return handed_out_.insert(key).second; // else the application has it, and will say when it is done
}

SubscriptionState::Done& SubscriptionState::note(const MessageKey& key) {
    auto& done = done_[key];
    done.order = ++dones_;
    return done;
}

std::shared_future<void> SubscriptionState::done(const MessageKey& key) {
    const Guard guard(mutex_);
    const auto found = done_.find(key);
    if (found != done_.end() && !found->second.answered) {
        tell(guard);
        return found->second.future;
    }
    if (!handed_out_.contains(key)) {
        std::promise<void> known; // the daemon knows already
        known.set_value();
        return known.get_future().share();
    }
    done_.erase(key);
    const auto future = note(key).future;
    tell(guard);
    return future;
}

void SubscriptionState::tell(const Guard&) {
    more_ = true;
    if (!telling_ && !connection_->is_closed()) {
        telling_ = true;
        connection_->workers().start([self = shared_from_this()] { self->tell_all(); });
    }
}

void SubscriptionState::tell_all() {
    std::set<MessageKey> told;
    while (true) {
        std::vector<MessageKey> keys;
        {
            const Guard guard(mutex_);
            if (more_) {
                more_ = false;
                told.clear();
            }
            std::vector<std::pair<std::uint64_t, MessageKey>> waiting;
            for (const auto& [key, done] : done_) {
                if (!told.contains(key)) {
                    waiting.emplace_back(done.order, key);
                }
            }
            std::sort(waiting.begin(), waiting.end());
            for (const auto& [order, key] : waiting) {
                if (keys.size() < told_together) {
                    keys.push_back(key);
                }
            }
            if (keys.empty()) {
                telling_ = false;
                told_.notify_all();
                return;
            }
            for (const auto& key : keys) {
                told.insert(key);
                again_.erase(key); // what is told from now on was handed out before
            }
        }
        tell_some(keys);
    }
}

/// Asks again for a while: a daemon that starts may not be ready for this yet.
Json SubscriptionState::post(const Json& body) {
    const auto deadline = Clock::now() + retry_patience;
    while (true) {
        try {
            return connection_->repeat("POST", path_ + "/done", body);
        } catch (const P4Error& error) {
            if (!is_starting(error.code()) || Clock::now() > deadline) {
                throw;
            }
        }
        connection_->sleep_until(Clock::now() + retry_pause);
    }
}

void SubscriptionState::tell_some(const std::vector<MessageKey>& keys) {
    auto messages = Json::array();
    for (const auto& key : keys) {
        messages.push_back({{"contact", key.contact}, {"id", key.id}});
    }
    std::optional<P4Error> problem;
    try {
        const auto answer = post({{"messages", std::move(messages)}});
        if (!answer.is_object() || !answer.contains("done")) {
            problem = bad_answer();
        }
    } catch (const P4Error& error) {
        problem = error;
    }
    const Guard guard(mutex_);
    for (const auto& key : keys) {
        const auto found = done_.find(key);
        if (found == done_.end()) {
            continue;
        }
        auto& done = found->second;
        if (!problem && again_.erase(key) > 0) {
            more_ = true; // it stays among those that are done
        } else if (!problem) {
            if (!done.answered) {
                done.promise.set_value();
            }
            settle(key);
        } else if (!done.answered) {
            // It stays among those that are done: if it comes again, the daemon is told again.
            done.answered = true;
            done.promise.set_exception(std::make_exception_ptr(
                P4Error(problem->code(),
                        "That the message is done could not be noted: it comes again to the next subscription. " +
                            std::string(problem->message()),
                        problem->data(), problem->status())));
        }
    }
}

void SubscriptionState::settle(const MessageKey& key) {
    done_.erase(key);
    handed_out_.erase(key);
    if (settled_.insert(key).second) {
        settled_order_.push_back(key);
    }
    if (settled_order_.size() > remembered) {
        settled_.erase(settled_order_.front());
        settled_order_.pop_front();
    }
}

void SubscriptionState::close() noexcept {
    {
        std::unique_lock lock(mutex_);
        told_.wait_for(lock, close_patience, [this] { return !telling_; });
    }
    feed_.close();
}

} // namespace p4::detail

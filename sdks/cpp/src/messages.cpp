#include "detail/subscription.hpp"

namespace p4 {

using detail::Clock;

struct Message::Content {
    std::shared_ptr<detail::SubscriptionState> subscription;
    ContactName contact;
    std::string id, service, key;
    std::int64_t sent_ms = 0, received_ms = 0;
    std::optional<Value> value;
    std::optional<P4Error> problem;
};

Message::Message(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

const ContactName& Message::contact() const noexcept {
    return content_->contact;
}

const std::string& Message::id() const noexcept {
    return content_->id;
}

const std::string& Message::service() const noexcept {
    return content_->service;
}

const std::string& Message::key() const noexcept {
    return content_->key;
}

std::int64_t Message::sent_ms() const noexcept {
    return content_->sent_ms;
}

std::int64_t Message::received_ms() const noexcept {
    return content_->received_ms;
}

const Value& Message::value() const {
    if (content_->problem) {
        throw P4Error(*content_->problem);
    }
    return *content_->value;
}

std::shared_future<void> Message::done() const {
    return content_->subscription->done({content_->contact.id, content_->id});
}

MessageSubscription::MessageSubscription(const std::shared_ptr<detail::Connection>& connection,
                                         std::string_view service, std::string_view contact, int window)
    : state_(std::make_shared<detail::SubscriptionState>(
          connection, "/v1/messages/" + detail::path_part(service),
          detail::query({{"contact", std::string(contact)}, {"window", std::to_string(window)}}))) {}

MessageSubscription::MessageSubscription(MessageSubscription&&) noexcept = default;

MessageSubscription& MessageSubscription::operator=(MessageSubscription&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

MessageSubscription::~MessageSubscription() {
    close();
}

Message MessageSubscription::next() {
    while (true) {
        if (auto message = next(std::chrono::hours(1))) {
            return std::move(*message);
        }
    }
}

std::optional<Message> MessageSubscription::next(Duration patience) {
    const auto state = state_;
    auto entry = state->next(Clock::now() + patience);
    if (!entry) {
        return std::nullopt;
    }
    auto content = std::make_shared<Message::Content>();
    content->subscription = state;
    content->contact = detail::record<ContactName>(entry->at("contact"));
    content->id = detail::member_text(*entry, "id");
    content->service = detail::member_text(*entry, "service");
    content->key = detail::member_text(*entry, "key");
    content->sent_ms = static_cast<std::int64_t>(detail::member_number(*entry, "sent_ms"));
    content->received_ms = static_cast<std::int64_t>(detail::member_number(*entry, "received_ms"));
    try {
        content->value = detail::value_of(*entry);
    } catch (const P4Error& error) {
        content->problem = error;
    }
    return Message(std::move(content));
}

void MessageSubscription::close() noexcept {
    if (state_) {
        state_->close();
    }
}

} // namespace p4

#include "detail/connection.hpp"

#include <algorithm>
#include <array>

namespace p4 {

using detail::Clock;

namespace {

/// The states of a message that arrives, in their order; the first and the last are those of chat only.
constexpr std::array<std::string_view, 5> progress{"sending", "queued", "delivered", "consumed", "seen"};

/// One request waits so long; then it is sent again.
constexpr std::chrono::seconds one_wait{30};

std::ptrdiff_t place_of(std::string_view state) {
    const auto* found = std::find(progress.begin(), progress.end(), state);
    return found == progress.end() ? -1 : found - progress.begin();
}

} // namespace

Receipt::Receipt(std::shared_ptr<detail::Connection> connection, std::string_view contact, const Json& entry)
    : connection_(std::move(connection)), contact_(contact), id_(detail::member_text(entry, "id")),
      state_(detail::member_text(entry, "state")) {
    if (id_.empty()) {
        throw detail::bad_answer();
    }
    // By its id, where that was told: it may be called otherwise by the time somebody waits.
    if (auto known = detail::member_text(entry.value("contact", Json()), "id"); !known.empty()) {
        contact_ = std::move(known);
    }
}

Receipt::Receipt(std::shared_ptr<detail::Connection> connection, std::string_view contact, const ChatLine& line)
    : connection_(std::move(connection)), contact_(contact), id_(line.message_id), state_(line.state),
      chat_place_(line.id) {}

bool Receipt::await_delivered(Duration patience) {
    return await("delivered", patience);
}

bool Receipt::await_consumed(Duration patience) {
    return await("consumed", patience);
}

bool Receipt::has_come(std::string_view wanted) const {
    return place_of(state_) >= place_of(wanted);
}

bool Receipt::await(std::string_view wanted, Duration patience) {
    const auto deadline = Clock::now() + patience;
    if (!chat_place_.empty()) {
        return await_chat(wanted, deadline);
    }
    const auto path = "/v1/contacts/" + detail::path_part(contact_) + "/receipts/" + detail::path_part(id_);
    while (!has_come(wanted)) {
        const auto left = std::chrono::duration_cast<Duration>(deadline - Clock::now());
        if (left <= Duration(0)) {
            return false;
        }
        const auto timeout = std::min<Duration>(left, one_wait);
        const auto waited =
            detail::query({{"wait", std::string(wanted)}, {"timeout", std::to_string(detail::seconds(timeout))}});
        const auto entry = connection_->request("GET", path + waited);
        state_ = detail::member_text(entry, "state");
        if (state_ == "dropped") {
            auto reason = detail::member_text(entry, "reason");
            reason = reason.empty() ? "dropped" : reason;
            throw P4Error(reason, "The message will not arrive: " + reason + ".");
        }
    }
    return true;
}

// What was said stands in the history: what becomes of it is known after restarts, too.
bool Receipt::await_chat(std::string_view wanted, Clock::time_point deadline) {
    if (has_come(wanted)) {
        return true;
    }
    Events events(connection_, {"chat.receipt"});
    while (!has_come(wanted)) {
        const auto left = std::chrono::duration_cast<Duration>(deadline - Clock::now());
        const auto event = events.next(std::max(left, Duration(0)));
        if (!event) {
            return false;
        }
        look(*event);
    }
    return true;
}

void Receipt::look(const DaemonEvent& event) {
    auto entries = event.data.is_object() ? event.data.value("entries", Json()) : Json();
    if (!entries.is_array()) { // it may have come further while nobody told
        const auto behind = std::to_string(std::stoull(chat_place_) + 1);
        const auto path =
            "/v1/chat/" + detail::path_part(contact_) + detail::query({{"before", behind}, {"limit", "1"}});
        entries = connection_->request("GET", path).value("entries", Json::array());
    }
    for (const auto& entry : entries) {
        if (detail::member_text(entry, "id") == chat_place_) {
            state_ = detail::member_text(entry, "state");
            if (state_ == "failed") {
                // What is said neither expires nor is it replaced: the contact does not take it.
                throw P4Error("refused", detail::member_text(entry, "reason"));
            }
        }
    }
}

} // namespace p4

#include "detail/connection.hpp"

namespace p4 {

namespace {

/// Longer than the daemon itself waits.
constexpr std::chrono::seconds margin{30};

std::vector<std::string> grants_of(const Json& answer) {
    return detail::records<std::string>(answer, "grants");
}

} // namespace

Contact::Contact(std::shared_ptr<detail::Connection> connection, std::string_view reference)
    : connection_(std::move(connection)), reference_(reference), path_("/v1/contacts/" + detail::path_part(reference)) {
}

ContactStatus Contact::status() const {
    return detail::record<ContactStatus>(connection_->request("GET", path_));
}

double Contact::ping() const {
    return connection_->repeat("POST", path_ + "/ping", Json::object()).value("round_trip", 0.0);
}

bool Contact::drop() const {
    return connection_->post(path_ + "/drop", Json::object()).value("dropped", false);
}

ContactStatus Contact::rename(std::string_view name) const {
    return detail::record<ContactStatus>(connection_->repeat("PATCH", path_, {{"name", name}}));
}

void Contact::remove() const {
    connection_->request("DELETE", path_, {.body = {}, .repeatable = false});
}

void Contact::set_policy(std::string_view policy) const {
    connection_->repeat("PUT", path_ + "/policy", {{"policy", policy}});
}

void Contact::set_blocked(bool blocked) const {
    connection_->repeat("PUT", path_ + "/block", {{"blocked", blocked}});
}

Verification Contact::verification() const {
    return detail::record<Verification>(connection_->request("GET", path_ + "/verification"));
}

Verification Contact::verify(std::string_view public_key, bool verified) const {
    return detail::record<Verification>(
        connection_->repeat("PUT", path_ + "/verification", {{"verified", verified}, {"public_key", public_key}}));
}

std::vector<std::string> Contact::grants() const {
    return grants_of(connection_->request("GET", path_ + "/grants"));
}

std::vector<std::string> Contact::grant(const std::vector<std::string>& services) const {
    return grants_of(connection_->repeat("POST", path_ + "/grants", {{"services", services}}));
}

std::vector<std::string> Contact::revoke(const std::vector<std::string>& services) const {
    for (const auto& service : services) {
        connection_->request("DELETE", path_ + "/grants/" + detail::path_part(service),
                             {.body = {}, .repeatable = false});
    }
    return grants();
}

Receipt Contact::send(std::string_view text) const {
    return {connection_, reference_, chat().say(text)};
}

Receipt Contact::send(std::string_view service, const Value& value, const SendOptions& options) const {
    Json body{{"service", service}};
    detail::put(value, body);
    if (options.ttl) {
        body["ttl"] = detail::seconds(*options.ttl);
    }
    if (!options.latest.empty()) {
        body["latest"] = options.latest;
    }
    return {connection_, reference_, connection_->post(path_ + "/messages", std::move(body))};
}

std::vector<Receipt> Contact::send_all(std::string_view service, std::span<const Value> values,
                                       std::optional<Duration> ttl) const {
    Json body{{"service", service}, {"values", Json::array()}};
    for (const auto& value : values) {
        detail::put(value, body["values"].emplace_back(Json::object()));
    }
    if (ttl) {
        body["ttl"] = detail::seconds(*ttl);
    }
    const auto answer = connection_->post(path_ + "/messages/batch", std::move(body));
    std::vector<Receipt> receipts;
    for (const auto& entry : answer.value("receipts", Json::array())) {
        receipts.push_back(Receipt(connection_, reference_, entry));
    }
    return receipts;
}

MessagePipeline Contact::pipeline(std::string_view service) const {
    return {connection_, reference_, service};
}

MessageSubscription Contact::messages(std::string_view service, int window) const {
    return {connection_, service, reference_, window};
}

Value Contact::call(std::string_view service, const Value& argument, Duration deadline) const {
    Json body{{"deadline", detail::seconds(deadline)}};
    detail::put(argument, body);
    return detail::value_of(
        connection_->request("POST", path_ + "/calls/" + detail::path_part(service),
                             {.body = std::move(body), .repeatable = false, .timeout = deadline + margin}));
}

Chat Contact::chat() const {
    return {connection_, reference_};
}

Chat::Chat(std::shared_ptr<detail::Connection> connection, std::string_view contact)
    : connection_(std::move(connection)), path_("/v1/chat/" + detail::path_part(contact)) {}

ChatPage Chat::page(std::optional<std::string_view> before, int limit) const {
    const auto asked = detail::query({{"before", std::string(before.value_or(""))}, {"limit", std::to_string(limit)}});
    return detail::record<ChatPage>(connection_->request("GET", path_ + asked));
}

ChatLine Chat::say(std::string_view text) const {
    return detail::record<ChatLine>(connection_->post(path_, {{"text", text}}));
}

void Chat::mark_read(std::string_view through) const {
    connection_->repeat("POST", path_ + "/read", {{"through", through}});
}

void Chat::typing() const {
    connection_->post(path_ + "/typing", Json::object());
}

void Chat::clear() const {
    connection_->request("DELETE", path_, {.body = {}, .repeatable = true});
}

} // namespace p4

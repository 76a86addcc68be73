#include "detail/connection.hpp"

#include <algorithm>

namespace p4 {

namespace {

/// Longer than the daemon itself waits.
constexpr std::chrono::seconds margin{30};
constexpr std::string_view one_wait = "25"; // seconds
constexpr std::chrono::seconds restart_pause{1};
constexpr int largest_window = 256;

const std::string invites = "/v1/invites";

} // namespace

Client::Client(std::shared_ptr<detail::Connection> connection) : connection_(std::move(connection)) {}

Client Client::connect() {
    return connect(ClientOptions());
}

Client Client::connect(const std::filesystem::path& state_directory) {
    ClientOptions options;
    options.state_directory = state_directory;
    return connect(options);
}

Client Client::connect(std::string_view url, std::string_view token) {
    ClientOptions options;
    options.url = url;
    options.token = token;
    return connect(options);
}

Client Client::connect(const ClientOptions& options) {
    Client client(detail::Connection::make(options));
    static_cast<void>(client.identity()); // tells at once if there is no daemon
    return client;
}

void Client::close() noexcept {
    connection_->close();
}

DeviceIdentity Client::identity() const {
    return detail::record<DeviceIdentity>(connection_->request("GET", "/v1/identity"));
}

DeviceIdentity Client::rename_device(std::string_view name) const {
    return detail::record<DeviceIdentity>(connection_->repeat("PATCH", "/v1/identity", {{"name", name}}));
}

DeviceStatus Client::status() const {
    return detail::record<DeviceStatus>(connection_->request("GET", "/v1/status"));
}

std::string Client::metrics() const {
    return connection_->text_request("GET", "/v1/metrics");
}

std::vector<ServiceUse> Client::services() const {
    return detail::records<ServiceUse>(connection_->request("GET", "/v1/services"), "services");
}

Contact Client::contact(std::string_view reference) const {
    return {connection_, reference};
}

std::vector<ContactStatus> Client::contacts() const {
    return detail::records<ContactStatus>(connection_->request("GET", "/v1/contacts"), "contacts");
}

Pairing Client::pairing() const {
    return Pairing(connection_);
}

MessageSubscription Client::messages(std::string_view service, int window) const {
    return {connection_, service, {}, std::clamp(window, 1, largest_window)};
}

Datagrams Client::datagrams(std::string_view service) const {
    return {connection_, service};
}

Serving Client::serve(std::string_view service, CallHandler handler) const {
    return {connection_, service, std::move(handler)};
}

Events Client::events(std::vector<std::string> kinds) const {
    return {connection_, std::move(kinds)};
}

std::vector<Conversation> Client::conversations() const {
    return detail::records<Conversation>(connection_->request("GET", "/v1/chat"), "conversations");
}

std::vector<TokenRecord> Client::tokens() const {
    return detail::records<TokenRecord>(connection_->request("GET", "/v1/tokens"), "tokens");
}

TokenRecord Client::new_token(std::string_view app, const TokenOptions& options) const {
    Json body{{"app", app}};
    body["services"] = options.services ? Json(*options.services) : Json();
    body["contacts"] = options.contacts ? Json(*options.contacts) : Json();
    if (options.lifetime) {
        body["expires_in"] = detail::seconds(*options.lifetime);
    }
    return detail::record<TokenRecord>(connection_->post("/v1/tokens", std::move(body)));
}

void Client::revoke_token(std::string_view id) const {
    connection_->request("DELETE", "/v1/tokens/" + detail::path_part(id), {.body = {}, .repeatable = false});
}

void Client::shutdown() const {
    connection_->post("/v1/shutdown", Json::object());
}

Json Client::request(std::string_view method, std::string_view path, const std::optional<Json>& body) const {
    return connection_->request(method, path, {.body = body, .repeatable = {}});
}

Pairing::Pairing(std::shared_ptr<detail::Connection> connection) : connection_(std::move(connection)) {}

DeviceInvite Pairing::create(std::string_view kind, Duration lifetime, std::string_view name) const {
    return detail::record<DeviceInvite>(
        connection_->post(invites, {{"kind", kind}, {"lifetime", detail::seconds(lifetime)}, {"name", name}}));
}

std::vector<DeviceInvite> Pairing::list() const {
    return detail::records<DeviceInvite>(connection_->request("GET", invites), "invites");
}

DeviceInvite Pairing::look(std::string_view id, std::string_view wait) const {
    const auto waited = detail::query({{"wait", std::string(wait)}, {"timeout", std::string(one_wait)}});
    return detail::record<DeviceInvite>(connection_->request("GET", invites + "/" + detail::path_part(id) + waited));
}

DeviceInvite Pairing::await_findable(std::string_view id) const {
    while (true) {
        auto invite = look(id, "findable");
        if (invite.findable || !invite.is_open()) {
            return invite;
        }
    }
}

ContactName Pairing::await(std::string_view id) const {
    while (true) {
        auto invite = look(id, "ended");
        if (invite.contact) {
            return std::move(*invite.contact);
        }
        if (invite.state == "closed") { // the daemon ends; its next run has the invite
            connection_->sleep_until(detail::Clock::now() + restart_pause);
        } else if (!invite.is_open()) {
            throw P4Error(invite.state, invite.message);
        }
    }
}

void Pairing::cancel(std::string_view id) const {
    connection_->request("DELETE", invites + "/" + detail::path_part(id));
}

ContactStatus Pairing::add(std::string_view invite, std::string_view name, Duration patience) const {
    Json body{{"invite", invite}, {"name", name}, {"patience", detail::seconds(patience)}};
    // To be paired twice by the same link is to be paired.
    return detail::record<ContactStatus>(connection_->request(
        "POST", "/v1/pairings", {.body = std::move(body), .repeatable = true, .timeout = patience + margin}));
}

} // namespace p4

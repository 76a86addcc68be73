/// L1: the device, its contacts, and what is sent to them.
#include "protocol.hpp"

namespace {

class Device {
public:
    explicit Device(Clients& clients) : clients_(clients) {}

    Operations operations() {
        Operations all;
        add_device(all);
        add_pairing(all);
        add_contacts(all);
        add_messages(all);
        return all;
    }

private:
    p4::Client& client(const Json& given) { return clients_.at(given, "client"); }
    p4::Contact contact(const Json& given) { return client(given).contact(text(given, "contact")); }

    Json connect(const Json& given) {
        p4::ClientOptions options;
        options.restart = std::chrono::seconds(60);
        if (given.contains("state_dir")) {
            options.state_directory = text(given, "state_dir");
        } else {
            options.url = text(given, "url");
            options.token = text(given, "token");
        }
        clients_.put(given, "client", p4::Client::connect(options));
        return Json::object();
    }

    static std::optional<std::vector<std::string>> names(const Json& given) {
        return given.is_null() ? std::nullopt : std::optional(given.get<std::vector<std::string>>());
    }

    Json new_token(const Json& given) {
        p4::TokenOptions options;
        options.services = names(given.at("services"));
        options.contacts = names(given.at("contacts"));
        if (!given.at("expires_in_seconds").is_null()) {
            options.lifetime = patience_of(given, "expires_in_seconds");
        }
        const auto made = client(given).new_token(text(given, "app"), options);
        return {{"id", made.id}, {"token", made.token}};
    }

    void add_device(Operations& all) {
        all["connect"] = [this](const Json& given) { return connect(given); };
        all["disconnect"] = [this](const Json& given) {
            client(given).close();
            clients_.drop(given, "client");
            return Json::object();
        };
        all["identity"] = [this](const Json& given) {
            const auto found = client(given).identity();
            return Json{{"id", found.id}, {"name", found.name}, {"public_key", found.public_key}};
        };
        all["status"] = [this](const Json& given) {
            const auto status = client(given).status();
            auto contacts = Json::array();
            for (const auto& one : status.contacts) {
                contacts.push_back(one.name);
            }
            return Json{{"id", status.id}, {"contacts", contacts}};
        };
        all["services"] = [this](const Json& given) {
            auto services = Json::array();
            for (const auto& one : client(given).services()) {
                services.push_back({{"service", one.service}, {"serves_calls", one.serves_calls}});
            }
            return Json{{"services", services}};
        };
        all["request"] = [this](const Json& given) {
            const auto body = given.contains("body") ? std::optional(given.at("body")) : std::nullopt;
            return Json{{"body", client(given).request(text(given, "method"), text(given, "path"), body)}};
        };
        all["token.new"] = [this](const Json& given) { return new_token(given); };
        all["token.list"] = [this](const Json& given) {
            auto ids = Json::array();
            for (const auto& one : client(given).tokens()) {
                ids.push_back(one.id);
            }
            return Json{{"ids", ids}};
        };
        all["token.revoke"] = [this](const Json& given) {
            client(given).revoke_token(text(given, "token_id"));
            return Json::object();
        };
    }

    void add_pairing(Operations& all) {
        all["pairing.create"] = [this](const Json& given) {
            const auto pairing = client(given).pairing();
            const auto invite = pairing.create("link", std::chrono::minutes(10), text(given, "name"));
            pairing.await_findable(invite.id);
            return Json{{"invite", invite.id}, {"text", invite.text}};
        };
        all["pairing.add"] = [this](const Json& given) {
            const auto added = client(given).pairing().add(text(given, "text"), text(given, "name"),
                                                           patience_of(given, "patience_seconds"));
            return Json{{"contact", contact_entry(added.contact())}};
        };
        all["pairing.wait"] = [this](const Json& given) {
            return Json{{"contact", contact_entry(client(given).pairing().await(text(given, "invite")))}};
        };
        all["pairing.cancel"] = [this](const Json& given) {
            client(given).pairing().cancel(text(given, "invite"));
            return Json::object();
        };
    }

    void add_contacts(Operations& all) {
        all["contact.list"] = [this](const Json& given) {
            auto contacts = Json::array();
            for (const auto& one : client(given).contacts()) {
                contacts.push_back(contact_entry(one.contact()));
            }
            return Json{{"contacts", contacts}};
        };
        all["contact.status"] = [this](const Json& given) {
            const auto status = contact(given).status();
            return Json{{"id", status.id},
                        {"name", status.name},
                        {"connected", status.connected},
                        {"queued_messages", status.queued_messages}};
        };
        all["contact.ping"] = [this](const Json& given) { return Json{{"round_trip_seconds", contact(given).ping()}}; };
        all["contact.rename"] = [this](const Json& given) {
            return Json{{"name", contact(given).rename(text(given, "name")).name}};
        };
        all["contact.remove"] = [this](const Json& given) {
            contact(given).remove();
            return Json::object();
        };
        all["contact.grant"] = [this](const Json& given) {
            return Json{{"grants", contact(given).grant(given.at("services"))}};
        };
        all["contact.revoke"] = [this](const Json& given) {
            contact(given).revoke({text(given, "service")});
            return Json::object();
        };
        all["contact.grants"] = [this](const Json& given) { return Json{{"grants", contact(given).grants()}}; };
        all["contact.set_policy"] = [this](const Json& given) {
            contact(given).set_policy(text(given, "policy"));
            return Json::object();
        };
        all["contact.verification"] = [this](const Json& given) {
            return Json{{"words", contact(given).verification().words}};
        };
        all["contact.call"] = [this](const Json& given) {
            return with_value(Json::object(), contact(given).call(text(given, "service"), value_of(given),
                                                                  patience_of(given, "deadline_seconds")));
        };
    }

    Json send(const Json& given) {
        p4::SendOptions options;
        if (given.contains("ttl_seconds") && !given.at("ttl_seconds").is_null()) {
            options.ttl = patience_of(given, "ttl_seconds");
        }
        if (given.contains("latest") && !given.at("latest").is_null()) {
            options.latest = text(given, "latest");
        }
        auto receipt = contact(given).send(text(given, "service"), value_of(given), options);
        const auto id = receipt.id();
        if (given.contains("receipt")) {
            receipts_.put(given, "receipt", std::move(receipt));
        }
        return {{"id", id}};
    }

    Json send_many(const Json& given) {
        std::vector<p4::Value> values;
        for (const auto& one : given.at("values")) {
            values.push_back(value_of(one));
        }
        auto ids = Json::array();
        for (const auto& receipt : contact(given).send_all(text(given, "service"), values)) {
            ids.push_back(receipt.id());
        }
        return {{"ids", ids}};
    }

    void add_messages(Operations& all) {
        all["message.send"] = [this](const Json& given) { return send(given); };
        all["message.send_many"] = [this](const Json& given) { return send_many(given); };
        all["receipt.delivered"] = [this](const Json& given) {
            require_in_time(receipts_.at(given, "receipt").await_delivered(patience_of(given)));
            return Json::object();
        };
        all["receipt.consumed"] = [this](const Json& given) {
            require_in_time(receipts_.at(given, "receipt").await_consumed(patience_of(given)));
            return Json::object();
        };
        all["chat.say"] = [this](const Json& given) {
            return Json{{"message_id", contact(given).chat().say(text(given, "text")).message_id}};
        };
        all["chat.history"] = [this](const Json& given) {
            auto entries = Json::array();
            for (const auto& line : contact(given).chat().page({}, given.at("limit")).entries) {
                entries.push_back({{"message_id", line.message_id}, {"mine", line.mine}, {"text", line.text}});
            }
            return Json{{"entries", entries}};
        };
    }

    Clients& clients_;
    Handles<p4::Receipt> receipts_;
};

} // namespace

Operations device_operations(Clients& clients) {
    static Device device(clients);
    return device.operations();
}

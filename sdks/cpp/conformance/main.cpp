/// Reads requests and answers them, one after the other, until the input ends.
#include "protocol.hpp"

#include <iostream>
#include <typeinfo>

namespace {

Json entry_of(const p4::P4Error& error) {
    Json entry{{"code", error.code()}, {"message", error.message()}};
    if (const auto type = error.type(); !type.empty()) {
        entry["type"] = type;
        if (type.starts_with("Call") || error.data().contains("may_have_run")) {
            entry["may_have_run"] = error.may_have_run();
        }
        if (type == "CallFailed") {
            entry["service_data"] = error.data().value("data", Json());
        }
    }
    return entry;
}

Json answer(const Operations& operations, const Json& request) {
    const auto operation = text(request, "operation");
    const auto found = operations.find(operation);
    if (found == operations.end()) {
        return {{"unsupported", "The command of C++ knows no " + operation}};
    }
    try {
        return {{"result", found->second(request.at("arguments"))}};
    } catch (const p4::P4Error& error) {
        return {{"error", entry_of(error)}};
    } catch (const std::exception& error) { // whatever the SDK throws is what the runner wants to see
        return {{"failed", std::string(typeid(error).name()) + ": " + error.what()}};
    }
}

} // namespace

int main() {
    static Clients clients;
    auto operations = core_operations();
    operations.merge(device_operations(clients));
    operations.merge(channel_operations(clients));
    for (std::string line; std::getline(std::cin, line);) {
        const auto request = Json::parse(line);
        auto reply = answer(operations, request);
        reply["id"] = request.at("id");
        std::cout << reply.dump() << std::endl;
    }
}

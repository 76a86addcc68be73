// hello.cpp
#include <p4/p4.hpp>

#include <iostream>

int main() {
    try {
        auto me = p4::Client::connect();
        auto phone = me.contact("phone");
        auto receipt = phone.send("hello");
        std::cout << "delivered: " << std::boolalpha << receipt.await_delivered(std::chrono::minutes(1)) << '\n';
        std::cout << "connected: " << phone.status().connected << '\n';
    } catch (const p4::P4Error& error) {
        std::cerr << error.message() << " [" << error.code() << "]\n";
        return 1;
    }
}

/// Real daemons of tests: directories, and `p4 up` in them that asks nobody around.
#pragma once

#include <p4/p4.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

/// A program that runs beside the test.
class Program {
public:
    /// Starts it with an environment variable HOME of its own; what it prints goes to a file.
    Program(const std::vector<std::string>& words, const std::filesystem::path& home,
            const std::filesystem::path& output);
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    /// Types something.
    void type(const std::string& text) const;
    /// Ends what it can read.
    void end_input();
    /// Waits for its end. @return its exit status
    int wait();
    /// kill -9
    void kill();

private:
    pid_t process_ = -1;
    int input_ = -1;
};

/// A device of a test.
class Device {
public:
    explicit Device(const std::string& name);
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    ~Device();

    /// Starts the daemon; it answers a little later.
    void start();
    /// kill -9 of the daemon.
    void kill();
    /// A client, as soon as the daemon answers.
    [[nodiscard]] p4::Client client() const;

    [[nodiscard]] const std::filesystem::path& home() const { return home_; }
    [[nodiscard]] std::filesystem::path state() const { return home_ / ".p4"; }
    /// Of its daemon, over TCP.
    [[nodiscard]] std::string url() const;

private:
    std::filesystem::path home_;
    int signal_port_;
    std::unique_ptr<Program> daemon_;
};

/// Two devices that know each other as "phone" and "laptop", and a client of each.
class DevicePair {
public:
    DevicePair();

    Device laptop{"laptop"};
    Device phone{"phone"};
    p4::Client on_laptop;
    p4::Client on_phone;

private:
    static p4::Client started(Device& device);
};

/// The code of the P4Error that this throws; empty for none.
template <typename Work>
std::string code_of(const Work& work) {
    try {
        work();
    } catch (const p4::P4Error& error) {
        return error.code();
    }
    return "";
}

inline constexpr std::chrono::seconds patience{60};

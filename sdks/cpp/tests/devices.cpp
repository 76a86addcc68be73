#include "devices.hpp"

#include "places.hpp"

#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::vector<std::string> command() {
    const char* found = std::getenv("P4_COMMAND");
    std::istringstream words(found == nullptr ? "p4" : found);
    return {std::istream_iterator<std::string>(words), {}};
}

/// One that a daemon can have after each restart: when both have moved, neither finds the other.
int free_port() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener, generic, size) != 0 || getsockname(listener, generic, &size) != 0) {
        throw std::runtime_error("no port");
    }
    close(listener);
    return ntohs(address.sin_port);
}

} // namespace

Program::Program(const std::vector<std::string>& words, const std::filesystem::path& home,
                 const std::filesystem::path& output) {
    std::array<int, 2> pipe_ends{};
    if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    std::vector<char*> arguments;
    for (const auto& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const auto variable = "HOME=" + home.string();
    std::vector<char*> environment{const_cast<char*>(variable.c_str())};
    for (char** one = environ; *one != nullptr; ++one) {
        if (std::string_view(*one).substr(0, 5) != "HOME=") {
            environment.push_back(*one);
        }
    }
    environment.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
        dup2(pipe_ends[0], STDIN_FILENO);
        const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(file, STDOUT_FILENO);
        dup2(file, STDERR_FILENO);
        execvpe(arguments[0], arguments.data(), environment.data());
        _exit(127);
    }
    close(pipe_ends[0]);
    input_ = pipe_ends[1];
}

Program::~Program() {
    kill();
}

void Program::type(const std::string& text) const {
    if (write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw std::runtime_error("the program does not read");
    }
}

void Program::end_input() {
    if (input_ >= 0) {
        close(input_);
        input_ = -1;
    }
}

int Program::wait() {
    end_input();
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Program::kill() {
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        wait();
    }
}

Device::Device(const std::string& name) : signal_port_(free_port()) {
    auto pattern = (std::filesystem::temp_directory_path() / ("p4cpp-" + name + "-XXXXXX")).string();
    if (mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("no directory");
    }
    home_ = pattern;
}

Device::~Device() {
    daemon_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
}

void Device::start() {
    auto words = command();
    for (const auto& word :
         {std::string("up"), std::string("--plain"), std::string("--state-dir"), state().string(),
          std::string("--mode"), std::string("direct"), std::string("--signal-port"), std::to_string(signal_port_),
          std::string("--stun-server"), std::string(), std::string("--no-lan"), std::string("--no-direct-signaling"),
          std::string("--retry-seconds"), std::string("1")}) {
        words.push_back(word);
    }
    daemon_ = std::make_unique<Program>(words, home_, home_ / "daemon.log");
}

void Device::kill() {
    daemon_->kill();
}

p4::Client Device::client() const {
    p4::ClientOptions options;
    options.state_directory = state();
    options.restart = patience; // machines that run tests are slow
    const auto deadline = std::chrono::steady_clock::now() + 2 * patience;
    while (true) {
        try {
            return p4::Client::connect(options);
        } catch (const p4::P4Error& error) {
            if (error.code() != "no-daemon" || std::chrono::steady_clock::now() > deadline) {
                throw std::runtime_error(std::string(error.message()) + "\n" + read_file(home_ / "daemon.log"));
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

std::string Device::url() const {
    const auto entry = p4::Json::parse(read_file(state() / "daemon" / "endpoint.json"));
    return "http://127.0.0.1:" + std::to_string(entry.at("port").get<int>());
}

p4::Client DevicePair::started(Device& device) {
    device.start();
    return device.client();
}

DevicePair::DevicePair() : on_laptop((phone.start(), started(laptop))), on_phone(phone.client()) {
    const auto invite = on_laptop.pairing().create("link", std::chrono::minutes(5), "phone");
    on_laptop.pairing().await_findable(invite.id);
    on_phone.pairing().add(invite.text, "laptop", patience);
    if (on_laptop.pairing().await(invite.id).name != "phone") {
        throw std::runtime_error("paired with somebody else");
    }
}

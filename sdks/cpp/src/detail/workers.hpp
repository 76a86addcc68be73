/// Threads for what goes on beside the program: each task has one while it runs.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <queue>
#include <thread>

namespace p4::detail {

class Workers {
public:
    Workers() = default;
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    /// Waits until all tasks have ended.
    ~Workers();

    /// Runs a task, which throws nothing, on a thread that is idle or on a new one.
    void start(std::function<void()> task);

    [[nodiscard]] bool on_own_thread();

private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::queue<std::function<void()>> tasks_;
    std::list<std::thread> threads_;
    std::size_t idle_ = 0;
    bool ending_ = false;
};

} // namespace p4::detail

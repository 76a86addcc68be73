#include "workers.hpp"

#include <algorithm>

namespace p4::detail {

Workers::~Workers() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) {
        thread.join();
    }
}

void Workers::start(std::function<void()> task) {
    const std::scoped_lock lock(mutex_);
    tasks_.push(std::move(task));
    if (tasks_.size() > idle_) {
        threads_.emplace_back([this] { work(); });
    } else {
        changed_.notify_one();
    }
}

bool Workers::on_own_thread() {
    const std::scoped_lock lock(mutex_);
    const auto me = std::this_thread::get_id();
    return std::any_of(threads_.begin(), threads_.end(), [me](const auto& thread) { return thread.get_id() == me; });
}

void Workers::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        --idle_;
        if (tasks_.empty()) {
            return;
        }
        auto task = std::move(tasks_.front());
        tasks_.pop();
        lock.unlock();
        task();
        task = nullptr; // what it holds may be the last that somebody waits for
        lock.lock();
    }
}

} // namespace p4::detail

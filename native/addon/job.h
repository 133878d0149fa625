// Work for the threads of Node's pool, and what it keeps alive meanwhile.
#pragma once

#include <array>
#include <memory>

#include "environment.h"

namespace hitpath {

/// Values that stay alive. For the thread of the environment alone.
class References {
 public:
  void add(napi_env env, napi_value value) noexcept {
    if (count_ < held_.size() && napi_create_reference(env, value, 1, &held_[count_]) == napi_ok) ++count_;
  }
  void drop(napi_env env) noexcept {
    while (count_ != 0) napi_delete_reference(env, held_[--count_]);
  }

 private:
  std::array<napi_ref, 3> held_{};
  u32 count_ = 0;
};

/// Something that a thread of the pool does for a promise.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;
  virtual void run() noexcept = 0;
  /// Back in the thread of the environment.
  virtual napi_value finish(napi_env env) noexcept = 0;

  /// The promise of what finish() gives; undefined, with the status set, when it cannot begin.
  static napi_value start(napi_env env, Environment& e, std::unique_ptr<Job> job) noexcept {
    napi_value promise = nullptr, name = nullptr;
    napi_create_string_utf8(env, "hitpath.snapshot", NAPI_AUTO_LENGTH, &name);
    const auto execute = [](napi_env, void* data) { static_cast<Job*>(data)->run(); };
    const auto complete = [](napi_env env, napi_status, void* data) {
      const std::unique_ptr<Job> job(static_cast<Job*>(data));
      napi_resolve_deferred(env, job->deferred_, job->finish(env));
      napi_delete_async_work(env, job->work_);
    };
    if (napi_create_promise(env, &job->deferred_, &promise) != napi_ok ||
        napi_create_async_work(env, nullptr, name, execute, complete, job.get(), &job->work_) != napi_ok ||
        napi_queue_async_work(env, job->work_) != napi_ok) {
      (void)job->finish(env);
      return e.fail(Status::no_memory), nullptr;
    }
    (void)job.release();
    e.staging->status = static_cast<u32>(Status::ok);
    return promise;
  }

 private:
  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
};

}  // namespace hitpath

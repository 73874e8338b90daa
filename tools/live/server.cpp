#include "tools/live/server.h"

#include <httplib.h>

#include <chrono>
#include <mutex>
#include <random>
#include <thread>

#include "tensor/error.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/trace/trace_json.h"
#include "tools/web/page.h"

namespace galley::live {
namespace {

constexpr const char* kLocalhost = "127.0.0.1";
constexpr std::size_t kMostBytes = 1 << 20;  // of a request
constexpr const char* kTokenHeader = "X-Galley-Token";

std::string random_token() {
  std::random_device device;
  std::string token;
  for (int i = 0; i < 32; ++i) token += "0123456789abcdef"[device() & 15];
  return token;
}

class Server {
 public:
  Server(LivePage& page, const ServerOptions& options) : page_(page), token_(random_token()) {
    if (options.port < 0 || options.port > 65535)
      throw Error(ErrorKind::kUsage,
                  tools::format("--port is %lld, expected from 0 (any that is free) to 65535",
                                static_cast<long long>(options.port)));
    http_.set_payload_max_length(kMostBytes);
    // A browser opens connections that it may never use: several threads wait, one works.
    http_.new_task_queue = [] { return new httplib::ThreadPool(4); };
    http_.set_keep_alive_timeout(1);
    // Not the library's SO_REUSEPORT, with which two servers could share a port.
    http_.set_socket_options([](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http_.set_default_headers({{"Cache-Control", "no-store"},
                               {"X-Frame-Options", "DENY"},
                               {"X-Content-Type-Options", "nosniff"},
                               {"Referrer-Policy", "no-referrer"}});
    set_handlers();
    port_ = static_cast<int>(options.port);
    if (port_ == 0)
      port_ = http_.bind_to_any_port(kLocalhost);
    else if (!http_.bind_to_port(kLocalhost, port_))
      port_ = -1;
    if (port_ <= 0)
      throw Error(ErrorKind::kFailure,
                  tools::format("port %lld of %s cannot be used: another program may have it; "
                                "choose another --port, or 0 for any",
                                static_cast<long long>(options.port), kLocalhost));
  }

  std::string url() const {
    return tools::format("http://%s/?token=%s", host().c_str(), token_.c_str());
  }

  // Until Ctrl-C.
  void run() {
    std::thread watcher([this] {
      while (!tools::interrupt_flag() && !is_over_)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      http_.stop();
    });
    http_.listen_after_bind();
    is_over_ = true;
    watcher.join();
  }

 private:
  std::string host() const { return tools::format("%s:%d", kLocalhost, port_); }

  void set_handlers() {
    http_.set_pre_routing_handler([this](const httplib::Request& q, httplib::Response& r) {
      if (is_from_here(q)) return httplib::Server::HandlerResponse::Unhandled;
      r.status = 403;
      r.set_content("Open the address that galley printed.\n", "text/plain");
      return httplib::Server::HandlerResponse::Handled;
    });
    http_.Get("/", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      r.set_content(web::page(page_.trace_text(), token_), "text/html; charset=utf-8");
    });
    http_.Get("/api/trace", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      r.set_content(page_.trace_text(), "application/json");
    });
    http_.Post(R"(/api/([a-z]+))", [this](const httplib::Request& q, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      answer(q, r);
    });
  }

  // Whether it came under our name, from our page or by hand, and knows the token.
  bool is_from_here(const httplib::Request& q) const {
    const std::string asked = q.get_header_value("Host");
    const std::string local = tools::format("localhost:%d", port_);
    if (asked != host() && asked != local) return false;
    if (q.has_header("Origin") && q.get_header_value("Origin") != "http://" + asked) return false;
    if (q.path == "/") return q.get_param_value("token") == token_;
    return q.get_header_value(kTokenHeader) == token_;
  }

  void answer(const httplib::Request& q, httplib::Response& r) {
    Json reply;
    try {
      const Json request = Json::parse(q.body, nullptr, false);
      if (request.is_discarded()) throw Error(ErrorKind::kUsage, "the request is no JSON");
      reply = page_.answer(q.matches[1], request);
    } catch (const Error& e) {
      reply = {{"error", e.what()}};  // the page shows it; a wrong command is no fault of HTTP's
    } catch (const Cancelled&) {
      reply = {{"error", "galley was stopped"}};
      r.status = 503;
    }
    r.set_content(trace::script_safe(reply), "application/json");
  }

  LivePage& page_;
  const std::string token_;
  httplib::Server http_;
  int port_ = -1;
  std::mutex mutex_;
  std::atomic<bool> is_over_{false};
};

}  // namespace

void serve(LivePage& page, const ServerOptions& options) {
  Server server(page, options);
  if (options.on_ready) options.on_ready(server.url());
  server.run();
  tools::check_interrupt();
}

}  // namespace galley::live

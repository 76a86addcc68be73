/// @file
/// Everything: the client of the daemon (p4::Client) and the core for programs without one (p4::core).
#pragma once

#include <p4/client.hpp>
#include <p4/core.hpp>

//! Tokens that resume a session after a lost connection: signed by the server (HMAC-SHA256, RFC 2104), bound to a
//! session, a role and a room, expiring, and of one generation only.
//!
//! Form: base64url without padding of `version ‖ session ‖ room ‖ role ‖ generation ‖ expiry ‖ tag`; to a client it is
//! an opaque string.

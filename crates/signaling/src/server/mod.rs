//! The server's side: every connection, session and room of one server, as one machine without I/O.

//! A browser as the other side of a call: Chromium without a window, driven by WebDriver, on a page that speaks
//! docs/protocol.md and was written from that page alone; and Firefox, for the page that guests get.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "the tests and the bench each use another part")]

mod driver;
mod firefox;
mod page;
mod processes;

pub use driver::Driver;
pub use firefox::Firefox;
pub use page::{Page, PageServer, Picture};
pub use processes::{family, stat_fields};

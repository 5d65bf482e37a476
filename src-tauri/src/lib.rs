//! The app: a window around the engine.
//!
//! [`controller`] is the app without its window and holds what each button does; [`model`] turns what the engine says
//! into the views of [`view`]; [`settings`] reads and checks what the user has set; [`video`] brings pictures to the
//! window. `desktop` is the window itself, and the only part that names Tauri.

pub mod controller;
#[cfg(feature = "desktop")]
pub mod desktop;
pub mod model;
pub mod quality;
pub mod settings;
pub mod video;
pub mod view;

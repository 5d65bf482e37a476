//! ALSA's library writes what goes wrong to standard error, hundreds of thousands of lines when the sound server behind
//! its plugin dies. All of it reaches us as error codes anyway, so the library is told to keep quiet.

/// Stops ALSA's messages for the whole process.
#[cfg(not(target_os = "linux"))]
pub(super) const fn silence() {}

/// Stops ALSA's messages for the whole process.
#[cfg(target_os = "linux")]
pub(super) fn silence() {
    handler::replace();
}

#[cfg(target_os = "linux")]
mod handler {
    #![allow(unsafe_code, reason = "ALSA's handler is set through a C function that no crate wraps")]

    use std::ffi::{c_char, c_int};
    use std::sync::Once;

    /// File, line, function, error, format; the values for the format follow and are left alone.
    type Handler = unsafe extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char);

    unsafe extern "C" {
        fn snd_lib_error_set_handler(handler: Option<Handler>) -> c_int;
    }

    unsafe extern "C" fn ignore(_: *const c_char, _: c_int, _: *const c_char, _: c_int, _: *const c_char) {}

    pub(super) fn replace() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: `ignore` touches none of its arguments, and lives as long as the process. ALSA passes it more
            // arguments than it names; on Linux the caller of a C function puts them up and takes them away again.
            let failed = unsafe { snd_lib_error_set_handler(Some(ignore)) };
            if failed != 0 {
                tracing::debug!(failed, "ALSA can't be kept quiet");
            }
        });
    }
}
